"""Where an account's documents go."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from job_history.accounts.account import Account
from job_history.accounts.destination_settings import (
    DestinationSettings,
    S3DestinationSettings,
    SumoLogicDestinationSettings,
)
from job_history.errors import PermanentError
from job_history.model.slice import Slice
from job_history.storage import REQUESTS_AT_ONCE, Storage
from job_history_airflow.factories.connections import connection_of_type
from job_history_airflow.factories.s3 import access_key, account_access
from job_history_airflow.factories.sharing import shared
from job_history_airflow.factories.storage import ATTEMPTS

if TYPE_CHECKING:
    from job_history.destinations.kind import DocumentStore, Opening
    from job_history.destinations.object_store import ObjectStoreDestination
    from job_history.destinations.sumo_logic import HttpSource, SumoLogicDestination
    from job_history_airflow.settings import Settings as InstallationSettings

Settings = TypeVar("Settings", bound=DestinationSettings)


def s3_destination(
    account: Account, *, in_flight: int, repair: bool = False, dry_run: bool = False
) -> ObjectStoreDestination:
    """Return the account's bucket as a destination. Raises PermanentError if connection or bucket are not named."""
    from job_history.destinations.object_store import ObjectStoreDestination
    from job_history.destinations.object_store.destination import waits_for
    from job_history.storage.s3.open_bucket import concurrency_of, open_bucket

    settings = settings_of(account, S3DestinationSettings)
    access = account_access(settings, account.label)
    at_once = concurrency_of(access, in_flight)
    return ObjectStoreDestination(
        shared(("bucket", at_once, *access_key(settings)), lambda: open_bucket(access, concurrency=at_once)),
        in_flight=at_once,
        write_mode=settings.write_mode,
        repair=repair,
        dry_run=dry_run,
        waits=waits_for(access.attempts),
    )


def listable_bucket(account: Account) -> ObjectStoreDestination:
    """Return the account's bucket for listing, by a client that retries by itself. Raises as above."""
    from job_history.destinations.object_store import ObjectStoreDestination
    from job_history.storage.s3.open_bucket import open_bucket

    settings = settings_of(account, S3DestinationSettings)
    access = account_access(settings, account.label)
    bucket = shared(
        ("listing", *access_key(settings)),
        lambda: open_bucket(access, concurrency=REQUESTS_AT_ONCE, attempts=access.attempts or ATTEMPTS),
    )
    return ObjectStoreDestination(bucket, write_mode=settings.write_mode)


def document_store(account: Account) -> DocumentStore:
    """Return the account's bucket below its prefix. Raises as above."""
    from job_history.destinations.kind import DocumentStore
    from job_history.storage.s3.open_bucket import open_bucket

    settings = settings_of(account, S3DestinationSettings)
    access = account_access(settings, account.label)
    attempts = access.attempts or ATTEMPTS
    bucket = open_bucket(access, prefix=settings.prefix, concurrency=REQUESTS_AT_ONCE, attempts=attempts)
    root = f"s3://{access.bucket}/{settings.prefix}".rstrip("/")
    return DocumentStore(Storage(bucket, root), settings.write_mode != "create_only", bucket.description())


def sumo_logic_destination(
    account: Account, slice_: Slice, *, ledger: Storage, max_message_bytes: int, repair: bool = False
) -> SumoLogicDestination:
    """Return the account's HTTP source as a destination. Raises PermanentError if its connection names none.

    What the source acknowledges is recorded in the ledger. `repair`: send again what it acknowledged to other runs.
    """
    from job_history.destinations.sumo_logic import SumoLogicDestination, target_of
    from job_history.ledger.acknowledgements import Acknowledgements

    source = http_source(account)
    target = target_of(source.endpoint, source.headers)
    acknowledgements = Acknowledgements(ledger, slice_, target, repair=repair)
    return SumoLogicDestination(source, acknowledgements, max_message_bytes=max_message_bytes)


def http_source(account: Account) -> HttpSource:
    """Return a client of the account's HTTP source. Raises PermanentError if its connection names none."""
    from job_history.destinations.sumo_logic import headers_of
    from job_history_airflow.hooks.sumo_logic import SumoLogicHook

    settings = settings_of(account, SumoLogicDestinationSettings)
    named_by = f"destination.conn_id of account {account.label}"
    connection_of_type(settings.conn_id, SumoLogicHook.conn_type, named_by, "the source's URL as its password")
    try:
        return SumoLogicHook(settings.conn_id, headers=headers_of(settings)).get_conn()
    except PermanentError as fault:
        raise PermanentError(f"The connection {settings.conn_id!r} ({named_by}) cannot be used: {fault}") from None


def opening_of(
    settings: InstallationSettings, slice_: Slice, ledger: Storage, *, repair: bool = False, dry_run: bool = False
) -> Opening:
    """Return what a kind needs to open the destination of a slice; `settings`: of the section `[job_history]`."""
    from job_history.destinations.kind import Opening

    return Opening(
        slice=slice_,
        ledger=ledger,
        upload_concurrency=settings.upload_concurrency,
        max_message_bytes=settings.max_message_bytes,
        repair=repair,
        dry_run=dry_run,
    )


def settings_of(account: Account, kind: type[Settings]) -> Settings:
    """Return the account's destination settings, of this kind. Raises PermanentError if they are of another by now."""
    if not isinstance(account.destination, kind):
        raise PermanentError(
            f"The destination of account {account.label} became {account.destination.type} after this run was planned. "
            "Start a new run of the window."
        )
    return account.destination
