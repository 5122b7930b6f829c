"""Amazon S3, and stores that speak its protocol, as a kind of destination."""

from __future__ import annotations

from datetime import UTC, datetime

from job_history.accounts.account import Account
from job_history.accounts.destination_settings import S3DestinationSettings
from job_history.destinations import Destination, Listable
from job_history.destinations.kind import DestinationKind, DocumentStore, Opening
from job_history.errors import ReplicationError
from job_history.errors.catalogue import finding_from_error
from job_history.model.place import Place
from job_history.preflight.check import Check


def _open(account: Account, opening: Opening) -> Destination:
    from job_history_airflow.factories.destinations import s3_destination

    return s3_destination(account, in_flight=opening.upload_concurrency, repair=opening.repair, dry_run=opening.dry_run)


def _open_listing(account: Account) -> Listable:
    from job_history_airflow.factories.destinations import listable_bucket

    return listable_bucket(account)


def _open_store(account: Account) -> DocumentStore:
    from job_history_airflow.factories.destinations import document_store

    return document_store(account)


def _check(account: Account) -> Check:
    from job_history.preflight.s3 import ProbingClients, S3Check
    from job_history_airflow.factories.destinations import settings_of
    from job_history_airflow.factories.s3 import access_key, account_access
    from job_history_airflow.factories.sharing import shared

    settings = settings_of(account, S3DestinationSettings)
    try:
        access = account_access(settings, account.label)
    except ReplicationError as error:
        # A role is assumed as soon as there is a session.
        refused = finding_from_error(error, f"Account {account.label}, connection {settings.conn_id!r}")
        return lambda: [refused]
    clients = shared(("probing", *access_key(settings)), lambda: ProbingClients(access))
    return S3Check(clients, account, settings, now=lambda: datetime.now(UTC)).findings


def _place(account: Account) -> Place:
    from job_history_airflow.factories.destinations import settings_of
    from job_history_airflow.factories.s3 import account_place

    return account_place(settings_of(account, S3DestinationSettings), account.label)


KIND = DestinationKind(
    name="s3",
    title="Amazon S3 bucket",
    settings=S3DestinationSettings,
    connection_types=("aws",),
    open=_open,
    check=_check,
    place=_place,
    open_listing=_open_listing,
    open_store=_open_store,
    readable=True,
    recognises_repeats=True,
)
