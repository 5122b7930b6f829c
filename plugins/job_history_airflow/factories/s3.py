"""From an `aws` connection to the S3 client that its hook would make."""

from __future__ import annotations

import functools
import logging
import re
from typing import TYPE_CHECKING, Any

from airflow.sdk.log import mask_secret

from job_history.accounts.destination_settings import S3DestinationSettings
from job_history.errors import PermanentError
from job_history.errors.code import Code
from job_history.model.place import Place, place_of
from job_history_airflow.factories.connections import connection_errors, find_connection
from job_history_airflow.factories.sharing import shared

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from job_history.storage.s3.access import S3Access, S3Connection, Transport, WriteOptions


def account_access(settings: S3DestinationSettings, label: str) -> S3Access:
    """Return how an account's connection reaches its bucket. Raises PermanentError or TransientError that name both.

    Accounts of one task with the same connection, bucket and settings share it, and its session.
    """
    return shared(
        ("access", *access_key(settings)),
        lambda: bucket_access(
            settings.conn_id,
            settings.bucket,
            f"destination.conn_id of account {label}",
            options=settings.write_options,
            transport=settings.transport,
        ),
    )


def access_key(settings: S3DestinationSettings) -> tuple[str, ...]:
    """Return what accounts have in common that reach a bucket in the same way, for what they can share."""
    return settings.conn_id, settings.bucket or "", repr(settings.write_options), settings.transport


def bucket_access(
    conn_id: str,
    bucket: str | None,
    named_by: str,
    *,
    options: WriteOptions | None = None,
    transport: Transport = "auto",
) -> S3Access:
    """Return how a connection reaches a bucket; without `bucket`, the one that the connection names."""
    from job_history.storage.s3.resolve import resolve

    # The hook itself would fall back to the machine's own credentials if the connection does not exist.
    found = find_connection(conn_id, named_by)
    with connection_errors(conn_id, named_by):
        _check_extra(found)
        connection, its_bucket = _opened(conn_id)
        name = bucket or its_bucket
        if not name:
            raise PermanentError(
                f"Neither the account (destination.bucket) nor the connection {conn_id!r}, which is {named_by}, names "
                "a bucket (extra service_config.s3.bucket_name). Set one of them."
            )
        return resolve(connection, name, options, transport=transport)


def account_place(settings: S3DestinationSettings, label: str) -> Place:
    """Return the place of an account's bucket, without asking for credentials.

    Raises PermanentError if the connection is missing or cannot be used. Accounts of one task share it as above.
    """
    return shared(("place", settings.conn_id, settings.bucket), lambda: _place(settings, label))


def _place(settings: S3DestinationSettings, label: str) -> Place:
    from job_history.storage.s3.access import host_of

    named_by = f"destination.conn_id of account {label}"
    find_connection(settings.conn_id, named_by)
    with connection_errors(settings.conn_id, named_by):
        hook = _hook(settings.conn_id)
        host = host_of(hook.conn_config.get_service_endpoint_url("s3") or _default_endpoint(hook))
        return place_of({"type": settings.type, "bucket": settings.bucket or _bucket_of(hook), "host": host})


def _default_endpoint(hook: Any) -> str:
    """Return the endpoint of a connection that names none: of its region, or of the worker's environment."""
    session = _session(hook)
    # Keys, so that botocore looks for none: nothing is sent.
    client = session.client("s3", aws_access_key_id="-", aws_secret_access_key="-", config=hook._get_config())  # noqa: S106, SLF001
    endpoint: str = client.meta.endpoint_url
    return endpoint


def _session(hook: Any) -> Any:
    """Return the session of a connection, with a loader that all sessions of this process share.

    A loader reads the definition of S3 once. Each session would read its own: 0.15 seconds and 11 MB.
    """
    session = hook.get_session(region_name=hook.region_name)
    inner = session._session  # noqa: SLF001 - boto3 has no way to give it another loader
    inner.register_component("data_loader", _loader(inner.get_config_variable("data_path")))
    return session


@functools.cache
def _loader(data_path: str | None) -> Any:
    from botocore.loaders import create_loader

    return create_loader(data_path)


def _opened(conn_id: str) -> tuple[S3Connection, str | None]:
    from job_history.storage.s3.access import S3Connection

    hook = _hook(conn_id)
    session = _session(hook)
    if (credentials := session.get_credentials()) is not None:
        mask_secret(credentials.get_frozen_credentials().secret_key)
    connection = S3Connection(
        session=session,
        endpoint_url=hook.conn_config.get_service_endpoint_url("s3"),
        verify=hook.verify,
        # The hook's own, with its user agent.
        config=hook._get_config(),  # noqa: SLF001
    )
    return connection, _bucket_of(hook)


def _bucket_of(hook: Any) -> str | None:
    """Return the bucket that a connection names: a name, an alias or an ARN. Raises PermanentError if it is neither."""
    name = hook.service_config.get("bucket_name")
    if name is None or (isinstance(name, str) and (not name or _BUCKET.fullmatch(name))):
        return name
    detail = "its extra service_config.s3.bucket_name is neither a bucket's name nor an ARN"
    raise PermanentError(f"{detail}. Correct it.", code=Code.CONNECTION_UNUSABLE, detail=detail)


def _hook(conn_id: str) -> Any:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    quiet_about_credentials()
    return S3Hook(aws_conn_id=conn_id)


def quiet_about_credentials() -> None:
    """Have the hooks of this process no longer log, each time, which part of a connection gave the credentials.

    A report opens each account's bucket, and its log begins with what failed.
    """
    from airflow.providers.amazon.aws.utils.connection_wrapper import AwsConnectionWrapper

    quiet: Any = logging.getLogger(f"{__name__}.credentials")
    quiet.setLevel(logging.WARNING)
    # The hook gives it no logger that can be set by a public name; without this attribute, the lines are logged.
    AwsConnectionWrapper._log = quiet  # noqa: SLF001


def _check_extra(connection: Connection) -> None:
    extra: dict[str, Any] = connection.extra_dejson
    dropped = sorted(extra.keys() & _NOT_HONOURED)
    session = extra.get("session_kwargs") or {}
    if isinstance(session, dict):
        dropped += [f"session_kwargs.{name}" for name in sorted(session.keys() - _OF_SESSION)]
    if dropped:
        detail = f"its extra has {dropped[0]!r}, which the amazon provider no longer reads"
        raise PermanentError(
            f"{detail}. Take it out; docs/configuration.md lists the extras.",
            code=Code.CONNECTION_UNUSABLE,
            detail=detail,
        )


# A name as Amazon and other stores allow it, also of old buckets; or the ARN of an access point.
_BUCKET = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.)){1,253}[A-Za-z0-9]|arn:[!-~]+")
# What the amazon provider still reads of `session_kwargs`.
_OF_SESSION = {"aws_access_key_id", "aws_secret_access_key", "aws_session_token"}
# Extras of earlier releases of the amazon provider, which it no longer reads itself.
_NOT_HONOURED = {
    "s3_config_file",
    "s3_config_format",
    "profile",
    "aws_account_id",
    "aws_iam_role",
    "external_id",
    "host",
}
