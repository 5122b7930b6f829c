"""Where an account's jobs and admin events come from."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException

from job_history.accounts.account import Account
from job_history.accounts.source_settings import WorkatoSourceSettings
from job_history.errors import PermanentError
from job_history.errors.masking import secret_masker
from job_history.model.event_kind import EventKind
from job_history.model.slice import Slice
from job_history.storage import Storage
from job_history_airflow.factories.connections import connection_of_type, find_connection, secrets_of
from job_history_airflow.factories.redaction import redaction_of

if TYPE_CHECKING:
    from job_history.model.admin_event import EventRecord
    from job_history.model.record import Record
    from job_history.sources import RemoteSource


def source_of(
    account: Account,
    kind: EventKind,
    *,
    max_document_bytes: int,
    staging: Storage,
    slice_: Slice | None = None,
    patient: bool = True,
) -> RemoteSource[Record]:
    """Return where the account's events of a kind come from.

    Raises PermanentError if its connection is missing or of the wrong kind.

    `staging` keeps what tasks share of it; with a slice, what was read of that before a task ended. One that is not
    `patient` reports an error at once, for a user who waits for the answer.
    """
    if isinstance(account.source, WorkatoSourceSettings):
        return _workato_source(account, kind, account.source, staging, slice_, patient=patient)
    return _sql_source(account, kind, max_document_bytes)


def _sql_source(account: Account, kind: EventKind, max_document_bytes: int) -> RemoteSource[Record]:
    from job_history.sources.sql import SqlEventSource, SqlJobSource, dialect_for

    conn_id, named_by = account.source.conn_id, f"source.conn_id of account {account.label}"
    connection = find_connection(conn_id, named_by)
    try:
        hook: Any = connection.get_hook()  # type: ignore[no-untyped-call]
    except (AirflowException, ImportError, TypeError, ValueError) as unknown:
        raise PermanentError(
            f"The connection {conn_id!r} ({named_by}) cannot be used: {unknown}. Install the provider of its type, or "
            "correct the type."
        ) from None
    if not hasattr(hook, "get_records"):
        raise PermanentError(
            f"The connection {conn_id!r} ({named_by}) is of type {connection.conn_type!r}, which is no SQL database. "
            "Name one of a type whose hook is a DbApiHook."
        )
    dialect = dialect_for(connection.conn_type or "", getattr(hook, "placeholder", "%s"))
    mask = secret_masker(*secrets_of(connection))
    if kind is EventKind.ADMIN_EVENTS:
        return SqlEventSource(hook.get_conn, dialect, item_id=_item_ids_of(account), mask_secrets=mask)
    # Room for as much white space again as a document may be large; what is beyond it is not even read into memory.
    return SqlJobSource(hook.get_conn, dialect, max_line_bytes=2 * max_document_bytes, mask_secrets=mask)


def _workato_source(
    account: Account,
    kind: EventKind,
    settings: WorkatoSourceSettings,
    staging: Storage,
    slice_: Slice | None,
    *,
    patient: bool,
) -> RemoteSource[Record]:
    from job_history.sources.workato import RETRIES, Checkpoint, WorkatoEventSource, WorkatoSource
    from job_history_airflow.hooks.workato import WorkatoHook

    named_by = f"source.conn_id of account {account.label}"
    connection_of_type(settings.conn_id, WorkatoHook.conn_type, named_by, "the API token as its password")
    hook = WorkatoHook(settings.conn_id, managed_user_id=settings.managed_user_id)
    try:
        client = hook.get_conn(
            hook.shared_rate_limiter(staging, activity_log=kind is EventKind.ADMIN_EVENTS),
            retries=RETRIES if patient else replace(RETRIES, attempts=1),
        )
    except PermanentError as fault:
        raise PermanentError(f"The connection {settings.conn_id!r} ({named_by}) cannot be used: {fault}") from None
    # What was read under other settings of the account is not taken for what these would read.
    folder = f"{slice_.folder}/workato-{account.settings_hash}" if slice_ else ""
    checkpoint = Checkpoint(staging, folder) if folder else None
    if kind is EventKind.ADMIN_EVENTS:
        retention = timedelta(days=settings.activity_retention_days)
        return WorkatoEventSource(client, checkpoint=checkpoint, retention=retention)
    return WorkatoSource(
        client,
        checkpoint=checkpoint,
        staging=staging,
        longest_job=timedelta(hours=settings.longest_job_hours),
        retention=None if settings.retention_days is None else timedelta(days=settings.retention_days),
    )


def _item_ids_of(account: Account) -> Callable[[EventRecord], str]:
    from job_history.documents.event_document import item_id_of

    # Its key is looked up when the first event asks for it: a task that only reads does without.
    redaction = functools.cache(functools.partial(redaction_of, account))
    return lambda record: item_id_of(record, redaction() if record.event_id is None else None)
