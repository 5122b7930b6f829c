"""What the kinds of object store other than S3 have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from job_history.accounts.account import Account
from job_history.accounts.destination_settings import ContainerSettings, kind_name
from job_history.destinations import Destination, Listable
from job_history.destinations.kind import DestinationKind, DocumentStore, Opening
from job_history.model.place import Place, place_of
from job_history.preflight.check import Check
from job_history.storage.object_store.access import StoreAccess

Settings = TypeVar("Settings", bound=ContainerSettings)

# Someone waits for the answer of a check.
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 15.0


def container_kind(
    settings: type[Settings],
    *,
    title: str,
    connection_type: str,
    access_of: Callable[[Settings, str], StoreAccess],
) -> DestinationKind:
    """Make a kind. `access_of` reads the connection; its second argument names the setting for messages."""

    def access(account: Account) -> tuple[Settings, StoreAccess]:
        from job_history_airflow.factories.destinations import settings_of

        found = settings_of(account, settings)
        return found, access_of(found, f"destination.conn_id of account {account.label}")

    def open_(account: Account, opening: Opening) -> Destination:
        from job_history.destinations.object_store import ObjectStoreDestination
        from job_history.storage.object_store.container import open_container

        its, reached = access(account)
        return ObjectStoreDestination(
            open_container(its.type, reached),
            in_flight=opening.upload_concurrency,
            write_mode=its.write_mode,
            repair=opening.repair,
            dry_run=opening.dry_run,
        )

    def open_listing(account: Account) -> Listable:
        from job_history.destinations.object_store import ObjectStoreDestination
        from job_history.storage.object_store.container import open_container
        from job_history_airflow.factories.storage import ATTEMPTS

        its, reached = access(account)
        return ObjectStoreDestination(open_container(its.type, reached, attempts=ATTEMPTS), write_mode=its.write_mode)

    def open_store(account: Account) -> DocumentStore:
        from job_history.storage import Storage
        from job_history.storage.object_store.container import open_container
        from job_history_airflow.factories.storage import ATTEMPTS

        its, reached = access(account)
        container = open_container(its.type, reached, prefix=its.prefix, attempts=ATTEMPTS)
        root = f"{reached.url}/{reached.container}/{its.prefix}".rstrip("/")
        return DocumentStore(Storage(container, root), its.write_mode != "create_only", container.description())

    def check(account: Account) -> Check:
        from job_history.preflight.probe import ProbeCheck
        from job_history.storage.object_store.container import open_container

        its, reached = access(account)
        hurried = replace(reached, connect_timeout=CONNECT_SECONDS, read_timeout=ANSWER_SECONDS)
        about = f"Account {account.label}, container {reached.container} at {reached.url}"
        return ProbeCheck(account, its, about, lambda: open_container(its.type, hurried)).findings

    def place(account: Account) -> Place:
        its, reached = access(account)
        return place_of({"type": its.type, "bucket": reached.container, "host": reached.host})

    return DestinationKind(
        name=kind_name(settings),
        title=title,
        settings=settings,
        connection_types=(connection_type,),
        open=open_,
        check=check,
        place=place,
        open_listing=open_listing,
        open_store=open_store,
        readable=True,
        recognises_repeats=True,
    )
