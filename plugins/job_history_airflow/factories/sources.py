"""From an account's settings, through Airflow's connections, to the sources and destinations of the core."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException
from airflow.sdk.log import mask_secret

from job_history.accounts.account import (
    Account,
    S3DestinationSettings,
    SumoLogicDestinationSettings,
    WorkatoSourceSettings,
)
from job_history.errors import PermanentError
from job_history.errors.masking import secret_masker
from job_history.model.event_kind import EventKind
from job_history.model.slice import Slice
from job_history.redaction import Change, Redaction, first_rule_that_hashes
from job_history.storage import Storage, folder_of, local_storage

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from job_history.destinations.s3 import S3Access, S3Destination
    from job_history.destinations.sumo_logic import HttpSource, SumoLogicDestination
    from job_history.model.admin_event import EventRecord
    from job_history.model.record import Record
    from job_history.sources import RemoteSource

    Settings = TypeVar("Settings", S3DestinationSettings, SumoLogicDestinationSettings)

MIN_REDACTION_KEY = 32
_NAME_OF_A_SECRET = re.compile(r"pass|secret|token|private|credential", re.IGNORECASE)


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

    Raises PermanentError where its connection is missing or of the wrong kind.

    `staging` keeps what tasks share of it; with a slice, what was read of that before a task ended. One that is not
    `patient` says at once what went wrong, for somebody who waits for the answer.
    """
    from job_history.sources.sql import (
        SqlEventSource,
        SqlJobSource,
        dialect_for,
    )

    settings = account.source
    if isinstance(settings, WorkatoSourceSettings):
        return _workato_source(account, kind, settings, staging, slice_, patient=patient)
    connection = _connection(settings.conn_id, f"source.conn_id of account {account.label}")
    try:
        hook: Any = connection.get_hook()  # type: ignore[no-untyped-call]
    except AirflowException as unknown:
        raise PermanentError(
            f"The connection {settings.conn_id!r} (source.conn_id of account {account.label}) cannot be used: {unknown}. "
            "Install the provider of its type, or correct the type."
        ) from None
    if not hasattr(hook, "get_records"):
        raise PermanentError(
            f"The connection {settings.conn_id!r} (source.conn_id of account {account.label}) is of type "
            f"{connection.conn_type!r}, which is no SQL database. Name one of a type whose hook is a DbApiHook."
        )
    dialect = dialect_for(connection.conn_type or "", getattr(hook, "placeholder", "%s"))
    mask = secret_masker(*_secrets_of(connection))
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
    from job_history.sources.workato import (
        Checkpoint,
        Retries,
        WorkatoEventSource,
        WorkatoSource,
    )
    from job_history_airflow.hooks.workato import WorkatoHook

    named_by = f"source.conn_id of account {account.label}"
    connection = _connection(settings.conn_id, named_by)
    if connection.conn_type != WorkatoHook.conn_type:
        raise PermanentError(
            f"The connection {settings.conn_id!r} ({named_by}) is of type {connection.conn_type!r}, not "
            f"{WorkatoHook.conn_type!r}. Name one of that type, with the API token as its password."
        )
    hook = WorkatoHook(settings.conn_id, managed_user_id=settings.managed_user_id)
    try:
        client = hook.get_conn(hook.shared_rate_limiter(staging), retries=Retries() if patient else Retries(attempts=1))
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
        longest_job=timedelta(hours=settings.longest_job_hours),
        retention=None if settings.retention_days is None else timedelta(days=settings.retention_days),
    )


def s3_destination(account: Account, *, in_flight: int, repair: bool = False, dry_run: bool = False) -> S3Destination:
    """Return the account's bucket as a destination. Raises PermanentError where connection or bucket are not named."""
    from job_history.destinations.s3 import (
        NO_RETRIES,
        S3Destination,
        s3_store,
    )

    settings = _settings(account, S3DestinationSettings)
    _, access = s3_access(settings, f"account {account.label}")
    return S3Destination(
        s3_store(access, settings, retries=NO_RETRIES),
        bucket=access.bucket,
        in_flight=in_flight,
        overwrite=settings.write_mode == "overwrite",
        repair=repair,
        dry_run=dry_run,
    )


def listable_bucket(account: Account) -> S3Destination:
    """Return the account's bucket for a look at what it holds, by a client that retries by itself. Raises as above."""
    from job_history.destinations.s3 import S3Destination, s3_store

    settings = _settings(account, S3DestinationSettings)
    _, access = s3_access(settings, f"account {account.label}")
    return S3Destination(s3_store(access, settings), bucket=access.bucket, overwrite=settings.write_mode == "overwrite")


def sumo_logic_destination(
    account: Account, slice_: Slice, *, staging: Storage, max_message_bytes: int
) -> SumoLogicDestination:
    """Return the account's HTTP source as a destination. Raises PermanentError where its connection names none.

    What the source acknowledges is noted in the slice's staging folder.
    """
    from job_history.destinations.sumo_logic import (
        Acknowledgements,
        SumoLogicDestination,
    )

    source = http_source(account)
    acknowledgements = Acknowledgements(staging, slice_.folder, source.endpoint, source.headers)
    return SumoLogicDestination(source, acknowledgements, max_message_bytes=max_message_bytes)


def http_source(account: Account) -> HttpSource:
    """Return a client of the account's HTTP source. Raises PermanentError where its connection names none."""
    from job_history.destinations.sumo_logic import headers_of
    from job_history_airflow.hooks.sumo_logic import SumoLogicHook

    settings = _settings(account, SumoLogicDestinationSettings)
    named_by = f"destination.conn_id of account {account.label}"
    connection = _connection(settings.conn_id, named_by)
    if connection.conn_type != SumoLogicHook.conn_type:
        raise PermanentError(
            f"The connection {settings.conn_id!r} ({named_by}) is of type {connection.conn_type!r}, not "
            f"{SumoLogicHook.conn_type!r}. Name one of that type, with the source's URL as its password."
        )
    try:
        return SumoLogicHook(settings.conn_id, headers=headers_of(settings)).get_conn()
    except PermanentError as fault:
        raise PermanentError(f"The connection {settings.conn_id!r} ({named_by}) cannot be used: {fault}") from None


def _item_ids_of(account: Account) -> Callable[[EventRecord], str]:
    from job_history.documents.event_document import item_id_of

    # Its key is looked up when the first event asks for it: a task that only reads does without.
    redaction = functools.cache(functools.partial(redaction_of, account))
    return lambda record: item_id_of(record, redaction() if record.event_id is None else None)


def redaction_of(account: Account, on_change: Callable[[Change], None] | None = None) -> Redaction | None:
    """Return the account's rules as they are applied, or None where it has none. `on_change` is told what they do.

    Raises PermanentError where rules hash, and the connection with their key is missing or has no fit password.
    """
    if not account.redaction:
        return None
    number = first_rule_that_hashes(account.redaction)
    if number is None or account.redaction_key_conn_id is None:
        return Redaction(account.redaction, name=account.redaction_name, on_change=on_change)
    named_by = f"redaction_key_conn_id of account {account.label}, for its redaction rule {number}"
    key = _connection(account.redaction_key_conn_id, named_by).password or ""
    mask_secret(key)
    if len(key) < MIN_REDACTION_KEY:
        raise PermanentError(
            f"The connection {account.redaction_key_conn_id!r} ({named_by}) has no password of at least "
            f"{MIN_REDACTION_KEY} characters. Give it a random one, such as `openssl rand -hex 32` prints: with a short "
            "one, hashes can be guessed."
        )
    return Redaction(account.redaction, name=account.redaction_name, key=key.encode(), on_change=on_change)


def storage_at(url: str) -> Storage:
    """Return the storage that a path of the config names: a folder, or `s3://[conn_id@]bucket[/prefix]`."""
    if (folder := folder_of(url)) is not None:
        return local_storage(Path(folder))
    parts = urlsplit(url)
    if parts.scheme != "s3":
        raise PermanentError(f"{parts.scheme}:// is not among the places that a path can name: use file:// or s3://.")
    from job_history.destinations.s3 import s3_store

    settings = S3DestinationSettings(
        type="s3", conn_id=parts.username or "aws_default", bucket=parts.hostname, prefix=parts.path.strip("/")
    )
    _, access = s3_access(settings, f"the path {url}")
    store = s3_store(access, settings, prefix=settings.prefix)
    return Storage(store, f"s3://{parts.hostname}{parts.path.rstrip('/')}")


def s3_access(settings: S3DestinationSettings, whose: str) -> tuple[Any, S3Access]:
    """Return the connection's boto3 session, and how it reaches the bucket. Raises PermanentError, which names `whose`."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from obstore.auth.boto3 import Boto3CredentialProvider

    from job_history.destinations.s3 import S3Access

    # The hook itself would fall back to the machine's own credentials where the connection does not exist.
    _connection(settings.conn_id, f"destination.conn_id of {whose}")
    hook = S3Hook(aws_conn_id=settings.conn_id)
    bucket = settings.bucket or hook.service_config.get("bucket_name")
    if not bucket:
        raise PermanentError(
            f"Neither destination.bucket of {whose} nor the connection {settings.conn_id!r} (extra "
            "service_config.s3.bucket_name) names a bucket. Set one of them."
        )
    session = hook.get_session(region_name=hook.region_name)
    if session.get_credentials() is None:
        raise PermanentError(
            f"The connection {settings.conn_id!r} of {whose} has no credentials, and this machine has none either. Give it "
            "an access key, or a role to assume."
        )
    access = S3Access(
        bucket=bucket,
        credentials=Boto3CredentialProvider(session),
        region=session.region_name,
        endpoint_url=hook.conn_config.get_service_endpoint_url("s3"),
        verify=hook.verify is not False,
    )
    return session, access


def place_of(account: Account) -> str | None:
    """Return where the account's connection leads to now, as its receipts call it (`owed.place_in`); None: nowhere.

    Raises PermanentError where its connection is missing or names no HTTP source.
    """
    settings = account.destination
    if isinstance(settings, S3DestinationSettings):
        return settings.bucket or _bucket_named_by(settings.conn_id, account)
    from job_history.destinations.sumo_logic.acknowledgements import target_of

    source = http_source(account)
    return target_of(source.endpoint, source.headers)


def _bucket_named_by(conn_id: str, account: Account) -> str | None:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    _connection(conn_id, f"destination.conn_id of account {account.label}")
    bucket: str | None = S3Hook(aws_conn_id=conn_id).service_config.get("bucket_name")
    return bucket


def _settings(account: Account, kind: type[Settings]) -> Settings:
    if not isinstance(account.destination, kind):
        raise PermanentError(
            f"The destination of account {account.label} became {account.destination.type} after this run was planned. "
            "Start a new run of the window."
        )
    return account.destination


def _secrets_of(connection: Connection) -> list[str]:
    """What a database may repeat of a connection that nobody else may read."""
    extra: dict[str, Any] = connection.extra_dejson
    named_so = [value for name, value in extra.items() if isinstance(value, str) and _NAME_OF_A_SECRET.search(name)]
    return [connection.password or "", *named_so]


def _connection(conn_id: str, named_by: str) -> Connection:
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise PermanentError(
            f"There is no Airflow connection {conn_id!r}, which is {named_by}. Create it (Admin > Connections), or correct "
            "the Variable."
        ) from None
