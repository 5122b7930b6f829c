"""The store of the benchmarks keeps objects as a bucket does, for the clients that use it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.benchmarks.store import PAGE, RunningStore, keeping_store
from tests.support.deliveries import access

from job_history.storage import Storage
from job_history.storage.s3.open_bucket import open_bucket
from simulators.s3_endpoint import S3Endpoint


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStore]:
    with keeping_store(tmp_path_factory.mktemp("store"), delay_ms=1) as running:
        yield running


@pytest.fixture
def bucket(store: RunningStore) -> Storage:
    return Storage(
        open_bucket(access(S3Endpoint(store.url, "local", "local"), "ledger"), prefix="here"), "s3://ledger/here"
    )


def test_what_is_written_can_be_read_listed_and_deleted(bucket: Storage) -> None:
    bucket.write("a/b/one.json", b"1")
    with bucket.writer("a/two.json") as file:
        file.write(b"2" * 100)

    assert (bucket.read("a/b/one.json"), bucket.read("a/b/three.json")) == (b"1", None)
    with bucket.reader("a/two.json") as file:
        assert file.read() == b"2" * 100
    assert sorted(bucket.paths("a")) == ["a/b/one.json", "a/two.json"]
    assert list(bucket.paths("a/b")) == ["a/b/one.json"]
    bucket.delete("a/two.json")
    assert list(bucket.paths("a")) == ["a/b/one.json"]


def test_an_object_is_created_once(bucket: Storage) -> None:
    assert [bucket.create("once", content) for content in (b"first", b"second")] == [True, False]
    assert bucket.read("once") == b"first"


def test_a_listing_of_several_pages_has_each_object_once(bucket: Storage, store: RunningStore) -> None:
    names = [f"many/{number // 7}/{number}" for number in range(2 * PAGE + 5)]
    store.put_all((f"ledger/here/{name}", b"{}") for name in names)
    store.counts()

    assert sorted(bucket.paths("many")) == sorted(names)
    assert store.counts() == {"LIST": 3}
    assert len(store.below("ledger/here/many/")) == len(names)
