"""What a destination with keys promises, held against Azurite and a stand-in of Google's XML API."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from tests.support.azure import ACCOUNT, KEY, Azurite, azurite
from tests.support.deliveries import deliver, document, documents
from tests.support.google_storage import TOKEN, GoogleStorage, google_storage

from job_history.destinations import Delivery
from job_history.destinations.object_store import ObjectStoreDestination
from job_history.errors import PermanentError, ReplicationError, TransientError
from job_history.errors.code import Code
from job_history.errors.masking import secret_masker
from job_history.storage import Storage
from job_history.storage.object_store.access import StoreAccess
from job_history.storage.object_store.container import Container, open_container
from job_history.testing.destinations import StoreContract
from simulators.processes import free_port

DELIVERED, ALREADY_PRESENT, CONFLICT = Delivery.DELIVERED, Delivery.ALREADY_PRESENT, Delivery.CONFLICT
NO_WAITS = (0.0, 0.0)


@dataclass
class Store:
    """A store with one container of a test's own. `objects` reads it by a client that is not ours."""

    kind: str
    container: str
    url: str
    account: str
    credentials: Callable[[], dict[str, Any]]
    wrong_credentials: Callable[[], dict[str, Any]]
    objects: Callable[[], dict[str, tuple[bytes, dict[str, str]]]]
    secrets: list[str] = field(default_factory=list)

    def access(self, **changes: Any) -> StoreAccess:
        settings = {
            "container": self.container,
            "url": self.url,
            "account": self.account,
            "credentials": self.credentials,
            "mask": secret_masker(*self.secrets),
        }
        return StoreAccess(**{**settings, **changes})

    def opened(self, prefix: str = "", **changes: Any) -> Container:
        return open_container(self.kind, self.access(**changes), prefix=prefix)

    def destination(self, **options: Any) -> ObjectStoreDestination:
        return ObjectStoreDestination(self.opened(), in_flight=16, waits=NO_WAITS, **options)


@pytest.fixture(scope="module")
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with ExitStack() as stack:
        if request.param == "google":
            yield stack.enter_context(google_storage())
        else:
            yield stack.enter_context(azurite(tmp_path_factory.mktemp("azurite")))


def azure_store(service: Azurite) -> Store:
    name = f"acme-{uuid4()}"
    client = service.service().create_container(name)

    def objects() -> dict[str, tuple[bytes, dict[str, str]]]:
        blobs = [client.get_blob_client(each.name) for each in client.list_blobs()]
        return {each.blob_name: (each.download_blob().readall(), each.get_blob_properties().metadata) for each in blobs}

    return Store(
        "azure_blob",
        name,
        service.url,
        ACCOUNT,
        lambda: {"access_key": KEY, "expires_at": None},
        lambda: {"access_key": f"AAAA{KEY[4:]}", "expires_at": None},
        objects,
        [KEY],
    )


def google_store(service: GoogleStorage) -> Store:
    name = f"acme-{uuid4()}"
    service.create_bucket(name, public=True)
    client = boto3.client(
        "s3",
        endpoint_url=service.address,
        region_name="auto",
        config=Config(signature_version=UNSIGNED, s3={"addressing_style": "path"}),
    )

    def objects() -> dict[str, tuple[bytes, dict[str, str]]]:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=name)
        keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
        bodies = {key: client.get_object(Bucket=name, Key=key)["Body"].read() for key in keys}
        return {key: (body, service.buckets[name][key].metadata) for key, body in bodies.items()}

    return Store(
        "google_storage",
        name,
        service.address,
        "",
        lambda: {"token": TOKEN, "expires_at": None},
        lambda: {"token": "an-expired-token", "expires_at": None},
        objects,
        [TOKEN],
    )


@pytest.fixture
def store(running: Any) -> Store:
    return google_store(running) if isinstance(running, GoogleStorage) else azure_store(running)


pytestmark = pytest.mark.parametrize(
    "running", ["google", pytest.param("azure", marks=pytest.mark.azure)], indirect=True
)


@pytest.mark.promise("object-metadata")
def test_a_document_has_its_key_bytes_and_digest(store: Store) -> None:
    given = document(100, prefix="audit")

    assert deliver(store.destination(), [given]) == [(given.key, DELIVERED)]

    digest = hashlib.sha256(given.content()).hexdigest()
    assert store.objects() == {given.key: (given.content(), {"sha256": digest})}


@pytest.mark.promise("create-only")
def test_the_same_document_again_is_already_present(store: Store) -> None:
    deliver(store.destination(), [document(100)])

    assert deliver(store.destination(), [document(100)]) == [(document(100).key, ALREADY_PRESENT)]


@pytest.mark.promise("create-only")
@pytest.mark.parametrize("other", ["HELLO world", "hello"], ids=["same size", "other size"])
def test_other_bytes_under_the_key_are_a_conflict_and_stay(store: Store, other: str) -> None:
    deliver(store.destination(), [document(100, title="hello world")])

    given = document(100, title=other)
    assert deliver(store.destination(), [given]) == [(given.key, CONFLICT)]

    assert [content for content, _ in store.objects().values()] == [document(100, title="hello world").content()]


def test_repair_replaces_what_differs_and_nothing_else(store: Store) -> None:
    deliver(store.destination(), [document(100, title="hello"), document(101)])

    reported = deliver(store.destination(repair=True), [document(100), document(101), document(102)])

    assert [delivery for _, delivery in reported] == [DELIVERED, ALREADY_PRESENT, DELIVERED]
    expected = {each.key: each.content() for each in (document(100), document(101), document(102))}
    assert {key: content for key, (content, _) in store.objects().items()} == expected


def test_a_dry_run_reports_what_a_delivery_would_do_and_writes_nothing(store: Store) -> None:
    deliver(store.destination(), [document(100), document(101, title="hello")])

    reported = deliver(store.destination(dry_run=True), [document(100), document(101), document(102)])

    assert [delivery for _, delivery in reported] == [ALREADY_PRESENT, CONFLICT, DELIVERED]
    assert len(store.objects()) == 2


@pytest.mark.parametrize("repair", [False, True])
def test_check_then_put_keeps_what_is_there_without_conditional_writes(store: Store, repair: bool) -> None:
    deliver(store.destination(), [document(100, title="hello")])
    destination = store.destination(write_mode="check_then_put", repair=repair)

    reported = deliver(destination, [document(100), document(101)])

    assert [delivery for _, delivery in reported] == [DELIVERED if repair else CONFLICT, DELIVERED]
    assert destination.description()["write_mode"] == "check_then_put"


@pytest.mark.promise("one-version")
def test_deliveries_at_the_same_time_write_each_key_once(store: Store) -> None:
    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(lambda _: deliver(store.destination(), documents(50)), range(3)))

    delivered = [key for report in reports for key, delivery in report if delivery is DELIVERED]
    assert sorted(delivered) == sorted(each.key for each in documents(50))
    assert {key: content for key, (content, _) in store.objects().items()} == {
        each.key: each.content() for each in documents(50)
    }


def test_a_listing_has_every_object_below_the_folder_and_no_other(store: Store) -> None:
    deliver(store.destination(), [*documents(60), document(61, prefix="other")])

    listed = sorted(each.key for each in store.destination().listing("5234/"))

    assert listed == sorted(each.key for each in documents(60))


def test_the_description_names_the_place(store: Store) -> None:
    assert store.destination().description() == {
        "type": store.kind,
        "bucket": store.container,
        "host": store.url.removeprefix("http://"),
        "write_mode": "create_only",
    }


class TestAsLedgerAndStaging:
    def test_a_file_is_created_once(self, store: Store) -> None:
        storage = Storage(store.opened("ledger"), "az://acme/ledger")
        assert storage.create("receipts/r000001.json", b"1")
        assert not storage.create("receipts/r000001.json", b"2")
        assert storage.read("receipts/r000001.json") == b"1"
        assert storage.read("receipts/r000002.json") is None

    def test_of_several_creates_at_once_one_succeeds(self, store: Store) -> None:
        storage = Storage(store.opened(), "gs://acme")
        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(lambda number: storage.create("one", b"%d" % number), range(8))) == 1

    def test_a_streamed_file_comes_back(self, store: Store) -> None:
        storage = Storage(store.opened("staging"), "az://acme/staging")
        content = bytes(range(256)) * 100_000  # more than one part
        with storage.writer("runs/jobs.zst") as file:
            for start in range(0, len(content), 1_000_000):
                file.write(content[start : start + 1_000_000])
        with storage.reader("runs/jobs.zst") as file:
            assert file.read() == content
        assert list(storage.paths("runs")) == ["runs/jobs.zst"]
        storage.delete("runs/jobs.zst")
        storage.delete("runs/jobs.zst")
        assert list(storage.paths("runs")) == []

    def test_a_missing_file_cannot_be_opened(self, store: Store) -> None:
        with pytest.raises(PermanentError), Storage(store.opened(), "az://acme").reader("none"):
            pass


def _refused(store: Store, **changes: Any) -> ReplicationError:
    with pytest.raises(ReplicationError) as refused:
        deliver(ObjectStoreDestination(store.opened(**changes), in_flight=1, waits=NO_WAITS), [document(100)])
    assert not any(secret in str(refused.value) for secret in store.secrets)
    return refused.value


class TestFaults:
    def test_a_missing_container(self, store: Store) -> None:
        refused = _refused(store, container="no-such-container")
        assert (type(refused), refused.code) == (PermanentError, Code.STORE_NO_SUCH_CONTAINER)

    def test_a_missing_container_is_not_taken_for_an_empty_one(self, store: Store) -> None:
        opened = store.opened(container="no-such-container")
        for ask in (lambda: list(opened.entries("")), lambda: opened.read("x"), opened.check_exists):
            with pytest.raises(PermanentError) as refused:
                ask()
            assert refused.value.code is Code.STORE_NO_SUCH_CONTAINER

    def test_credentials_that_the_store_does_not_accept(self, store: Store) -> None:
        refused = _refused(store, credentials=store.wrong_credentials)
        assert (type(refused), refused.code) == (PermanentError, Code.STORE_NO_CREDENTIALS)

    def test_an_identity_service_that_does_not_answer_is_transient(self, store: Store) -> None:
        def away() -> dict[str, Any]:
            raise ConnectionError(f"the identity service did not answer: {store.secrets[0]}")

        refused = _refused(store, credentials=away)
        assert (type(refused), refused.code) == (TransientError, Code.STORE_CREDENTIALS_AWAY)

    def test_an_endpoint_that_refuses_connections_is_transient(self, store: Store) -> None:
        refused = _refused(store, url=f"http://127.0.0.1:{free_port()}/x")
        assert (type(refused), refused.code) == (TransientError, Code.STORE_UNREACHABLE)

    def test_an_unusable_url_is_permanent(self, store: Store) -> None:
        refused = _refused(store, url="no url at all")
        assert (type(refused), refused.code) == (PermanentError, Code.STORE_ENDPOINT_UNUSABLE)

    def test_a_busy_store_is_asked_again(self, store: Store, running: Any) -> None:
        if not isinstance(running, GoogleStorage):
            pytest.skip("Azurite cannot be told to be busy")
        running.failures = [503, 429]
        assert deliver(store.destination(), [document(100)]) == [(document(100).key, DELIVERED)]
        running.failures = [503] * 10
        assert _refused(store).code is Code.STORE_BUSY
        running.failures = []

    def test_settings_of_the_environment_change_nothing(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT", "GOOGLE_BASE_URL"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
        for name in ("AZURE_STORAGE_USE_EMULATOR", "AZURE_SKIP_SIGNATURE", "GOOGLE_SKIP_SIGNATURE"):
            monkeypatch.setenv(name, "true")
        for name in ("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_TOKEN"):
            monkeypatch.setenv(name, "sig=bm90IG91cnM=")
        for name in ("GOOGLE_BUCKET", "AZURE_CONTAINER_NAME", "AZURE_STORAGE_ACCOUNT_NAME"):
            monkeypatch.setenv(name, "another")

        deliver(store.destination(), [document(100)])

        assert list(store.objects()) == [document(100).key]

    def test_a_variable_that_cannot_be_overridden_is_refused(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name = "AZURE_ENCRYPTION_KEY" if store.kind == "azure_blob" else "GOOGLE_SERVICE_ACCOUNT_KEY"
        monkeypatch.setenv(name, "c2VjcmV0")
        with pytest.raises(PermanentError, match=name):
            store.opened()


def test_files_of_the_stand_in_are_named_as_google_names_them(store: Store, tmp_path: Path) -> None:
    """Each write makes a new generation, and a listing goes on where a page ended."""
    if store.kind != "google_storage":
        pytest.skip("it is about the stand-in")
    opened = store.opened()
    for number in range(1_050):
        opened.write(f"many/{number:04d}", b"x")
    assert len({entry.path for entry in opened.entries("many")}) == 1_050


class TestImportableSuite(StoreContract):
    """What packages of others run against their own kinds holds for ours."""

    @pytest.fixture(autouse=True)
    def _store(self, store: Store) -> None:
        self.store = store

    def destination(self, **options: Any) -> ObjectStoreDestination:
        return self.store.destination(**options)

    def stored(self) -> dict[str, bytes]:
        return {key: content for key, (content, _) in self.store.objects().items()}

    def test_after_a_kill_the_next_delivery_completes_the_place(self) -> None:
        pytest.skip("threads of obstore do not survive a fork; S3 has kills of the same class in docs/crash-matrix.md")
