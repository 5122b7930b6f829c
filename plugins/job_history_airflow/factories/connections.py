"""Look up an Airflow connection that a setting names, and classify what goes wrong when it is used."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from job_history.errors import PermanentError, ReplicationError, TransientError
from job_history.errors.catalogue import finding
from job_history.errors.code import Code
from job_history.errors.masking import Masker, secret_masker
from job_history_airflow.airflow_lookup import check_really_missing

if TYPE_CHECKING:
    from airflow.sdk import Connection

_NAME_OF_A_SECRET = re.compile(
    r"pass|secret|token|private|credential|connection_string|(?:shared_access|account|api)_key", re.IGNORECASE
)


def find_connection(conn_id: str, named_by: str) -> Connection:
    """Return the connection. Raises PermanentError, which names the setting (`named_by`) and not the id, if there is
    none.

    What is not the id of a connection may be anything, such as a secret that was pasted into the wrong field. Raises
    TransientError if Airflow cannot say whether there is one.
    """
    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        check_really_missing("connection", conn_id, f"The Airflow connection in {named_by}")
        raise PermanentError(
            f"There is no Airflow connection with the id in {named_by}. Create it (Admin > Connections), or correct "
            "the id."
        ) from None
    except PermissionError:
        raise PermanentError(
            f"Airflow does not let this task read the connection in {named_by}. Give the task's team or identity "
            "access to it, or name another connection."
        ) from None
    if not _is_object(connection.extra):
        detail = "its extra is no JSON object"
        raise PermanentError(
            f"The Airflow connection in {named_by} cannot be used: {detail}, so Airflow drops it or fails at it. "
            "Correct it (Admin > Connections).",
            code=Code.CONNECTION_UNUSABLE,
            detail=detail,
        )
    return connection


def connection_of_type(conn_id: str, conn_type: str, named_by: str, holds: str = "") -> Connection:
    """Return the connection. Raises PermanentError if there is none, or if it is of another type.

    `holds`: what one of that type has where, for the message.
    """
    connection = find_connection(conn_id, named_by)
    if connection.conn_type != conn_type:
        raise PermanentError(
            f"The connection {conn_id!r} ({named_by}) is of type {connection.conn_type!r}, not {conn_type!r}. Name one "
            f"of that type{holds and ', with ' + holds}."
        )
    return connection


@contextmanager
def needs_extra(extra: str, named_by: str) -> Iterator[None]:
    """Raise what is not installed as PermanentError with the command that installs it."""
    try:
        yield
    except ImportError as missing:
        raise PermanentError(
            f"The connection in {named_by} needs a package that is not installed ({missing.name}). Run pip install "
            f"'job-history-replication[{extra}]' in the environment of Airflow's workers and API server."
        ) from None


def _is_object(extra: str | None) -> bool:
    """Return whether an extra is empty or a JSON object."""
    if not extra or not extra.strip():
        return True
    try:
        return isinstance(json.loads(extra), dict)
    except ValueError:
        return False


@contextmanager
def connection_errors(conn_id: str, named_by: str) -> Iterator[None]:
    """Raise what an `aws` connection's hook and boto3 raise as PermanentError or TransientError that name the
    connection.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    from job_history.storage.problems import Attempted, quoted
    from job_history.storage.s3.boto3_errors import is_away, problem_of_boto3

    about = f"Connection {conn_id!r} ({named_by})"
    try:
        yield
    except (PermanentError, TransientError) as error:
        if repr(conn_id) in str(error):
            raise
        raise _named(error, about) from None
    except (BotoCoreError, ClientError) as error:
        mask = _masker_of(conn_id)
        raise problem_of_boto3(error, mask).error(about, Attempted("use", "", "")) from None
    except Exception as error:  # noqa: BLE001 - what gives credentials may raise anything: a program, a SAML provider, ...
        detail = quoted(_masker_of(conn_id)(f"{type(error).__name__}: {error}"))
        if is_away(error):
            found = finding(Code.S3_CREDENTIALS_AWAY, about, detail=detail)
            raise TransientError(f"{found.cause} {found.fix}", code=found.code, detail=detail) from None
        raise PermanentError(
            f"{about} cannot be used: {detail}. Correct it (Admin > Connections); docs/configuration.md lists its "
            "extras.",
            code=Code.CONNECTION_UNUSABLE,
            detail=detail,
        ) from None


def secrets_of(connection: Connection) -> list[str]:
    """Return what another program may repeat of a connection that must not be read elsewhere."""
    return [connection.password or "", *_secrets_in(connection.extra_dejson)]


def _secrets_in(extra: dict[str, Any]) -> Iterator[str]:
    """Find secrets by their names, also in an object below an extra, such as a key file that is there as text."""
    for name, value in extra.items():
        found = value
        if isinstance(value, str):
            if _NAME_OF_A_SECRET.search(name):
                yield value
            with suppress(ValueError):
                found = json.loads(value)
        if isinstance(found, dict):
            yield from _secrets_in(found)


def _masker_of(conn_id: str) -> Masker:
    try:
        return secret_masker(*secrets_of(BaseHook.get_connection(conn_id)))
    except Exception:  # noqa: BLE001 - a connection that cannot be read has no secrets to repeat
        return str


def _named(error: ReplicationError, about: str) -> ReplicationError:
    return type(error)(f"{about}: {error}", code=error.code, detail=error.detail, facts=error.facts)
