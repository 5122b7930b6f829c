"""A destination of any kind on its stand-in or emulator, and what a test does to it besides delivering."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
from tests.support.azure import azurite
from tests.support.deliveries import access
from tests.support.google_storage import google_storage
from tests.support.oracle import sumo_logic_documents
from tests.support.other_destinations import FAST, OBJECT_STORES, RECEIVERS, OtherDestination, documents_in
from tests.support.receivers import local_receivers
from tests.support.scripted_s3 import Refusal, scripted_s3
from tests.support.world import sumo_logic_destination
from tests.unit.samples import slice_of

from job_history.destinations import Destination
from job_history.destinations.object_store import ObjectStoreDestination
from job_history.model.place import Place, place_of
from job_history.model.slice import Slice
from job_history.storage import Storage, local_storage
from job_history.storage.s3.open_bucket import open_bucket
from simulators.s3_endpoint import S3Endpoint
from simulators.sumo_logic import local_source

STORES = ("s3", *OBJECT_STORES)
MESSAGES = ("sumo_logic", *RECEIVERS)


@dataclass(kw_only=True)
class AnyDestination:
    """`objects` reads a store by code that is not ours; `put` and `delete` change it beside the project.

    `sent` returns the texts at a receiver; `break_next` has the next requests fail with these statuses.
    """

    kind: str
    settings: dict[str, Any]
    open: Callable[[Slice, Storage, bool], Destination]
    objects: Callable[[], Mapping[str, bytes]] = dict
    put: Callable[[str, bytes], object] = lambda *_: None
    delete: Callable[[str], object] = lambda _: None
    delete_container: Callable[[], object] = lambda: None
    create_container: Callable[[], object] = lambda: None
    sent: Callable[[], list[str]] = list
    break_next: Callable[..., object] = lambda *_: None

    def listing(self) -> Any:
        return self.open(slice_of(), local_storage(Path("nowhere")), False)

    def place(self) -> Place:
        return place_of(self.listing().description())

    def documents(self) -> dict[str, bytes]:
        if self.kind in STORES:
            return dict(self.objects())
        if self.kind == "sumo_logic":
            return sumo_logic_documents([_Message(text) for text in self.sent()])  # type: ignore[misc]
        return documents_in(self.sent())

    def copies(self) -> Counter[str]:
        """Return how often a receiver has each document, of documents of one message."""
        entries = [msgspec.json.decode(text) for text in self.sent()]
        return Counter(entry.get("job_history", entry)["replication"]["delivery_id"] for entry in entries)


@dataclass
class _Message:
    text: str


@contextmanager
def any_destination(kind: str, folder: Path) -> Iterator[AnyDestination]:
    """Run the server of a kind with one container, as long as the block lasts."""
    with ExitStack() as running:
        yield {"s3": _s3, "azure_blob": _azure, "google_storage": _google, "sumo_logic": _sumo_logic}.get(
            kind, lambda *given: _receiver(kind, *given)
        )(running, folder)


def _s3(running: ExitStack, _folder: Path) -> AnyDestination:
    name = f"acme-{uuid4()}"
    endpoint = running.enter_context(scripted_s3(name))
    reached = access(S3Endpoint(endpoint.url, "local", "local"), name)

    def open_(_slice: Slice, _ledger: Storage, repair: bool) -> Destination:
        return ObjectStoreDestination(open_bucket(reached), in_flight=1, waits=FAST, repair=repair)

    def delete_bucket() -> None:
        endpoint.objects.clear()
        for method in ("PUT", "GET", "HEAD"):
            endpoint.always_answer(method, Refusal(404, "NoSuchBucket"))

    return AnyDestination(
        kind="s3",
        settings={"type": "s3", "conn_id": "s3", "bucket": name},
        open=open_,
        objects=lambda: endpoint.objects,
        put=endpoint.objects.__setitem__,
        delete=endpoint.objects.__delitem__,
        delete_container=delete_bucket,
        create_container=endpoint.recover,
    )


def _azure(running: ExitStack, folder: Path) -> AnyDestination:
    service, name = running.enter_context(azurite(folder)), f"acme-{uuid4()}"
    client = service.service().get_container_client(name)
    client.create_container()
    other = OtherDestination("azure_blob", service.url, name)
    return AnyDestination(
        kind=other.kind,
        settings=other.settings(),
        open=_opener(other),
        objects=lambda: {blob.name: client.download_blob(blob.name).readall() for blob in client.list_blobs()},
        put=lambda key, content: client.upload_blob(key, content, overwrite=True),
        delete=client.delete_blob,
        delete_container=client.delete_container,
        create_container=client.create_container,
    )


def _google(running: ExitStack, _folder: Path) -> AnyDestination:
    storage, name = running.enter_context(google_storage()), f"acme-{uuid4()}"
    storage.create_bucket(name)
    other = OtherDestination("google_storage", storage.address, name)
    return AnyDestination(
        kind=other.kind,
        settings=other.settings(),
        open=_opener(other),
        objects=lambda: {key: found.content for key, found in storage.buckets[name].items()},
        put=lambda key, content: storage.write(name, key, content),
        delete=lambda key: storage.buckets[name].pop(key),  # noqa: PLW0108 - the bucket is another one later
        delete_container=lambda: storage.buckets.pop(name),
        create_container=lambda: storage.create_bucket(name),
    )


def _receiver(kind: str, running: ExitStack, _folder: Path) -> AnyDestination:
    receivers = running.enter_context(local_receivers())
    receivers.truncate = 1_000_000
    other = OtherDestination(kind, receivers.address)
    return AnyDestination(
        kind=kind,
        settings=other.settings(),
        open=_opener(other),
        sent=lambda: list(receivers.stored),
        break_next=lambda *faults: receivers.faults.__setitem__(slice(None), faults),
    )


def _sumo_logic(running: ExitStack, _folder: Path) -> AnyDestination:
    source = running.enter_context(local_source())

    def open_(slice_: Slice, ledger: Storage, repair: bool) -> Destination:
        return sumo_logic_destination(slice_, source.url, ledger, lambda _: None, timeout=10, attempts=3, repair=repair)

    return AnyDestination(
        kind="sumo_logic",
        settings={"type": "sumo_logic", "conn_id": "sumo"},
        open=open_,
        sent=lambda: [message.text for message in source.messages()],
        break_next=lambda *faults: source.script(faults),
    )


def _opener(other: OtherDestination) -> Callable[[Slice, Storage, bool], Destination]:
    return lambda slice_, ledger, repair: other.open(slice_, ledger, repair=repair)
