"""Folders are listed many at a time, in pages, so that neither their number nor their size costs memory."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from job_history.destinations import StoredObject
from job_history.errors import TransientError
from job_history.reconciliation.listings import LISTINGS_AT_ONCE, OBJECTS_A_PAGE, pages


class Bucket:
    """Answers a listing only once `at_once` of them are waiting."""

    def __init__(self, at_once: int = 1, sizes: dict[str, int] | None = None) -> None:
        self.sizes = sizes or {}
        self.together = threading.Barrier(at_once)

    def listing(self, folder: str) -> Iterator[StoredObject]:
        self.together.wait(timeout=10)
        if folder == "broken":
            raise TransientError("The bucket is away.")
        return (StoredObject(f"{folder}/{number}", 1, None) for number in range(self.sizes.get(folder, 1)))

    def read(self, key: str) -> bytes | None:
        raise AssertionError(key)

    def description(self) -> dict[str, Any]:
        return {}


def listed(bucket: Bucket, folders: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {folder: [] for folder in folders}
    with ThreadPoolExecutor(LISTINGS_AT_ONCE) as threads:
        for folder, objects in pages(bucket, folders, threads):
            assert len(objects) <= OBJECTS_A_PAGE
            found[folder] += [stored.key for stored in objects]
    return found


def test_32_listings_are_in_flight() -> None:
    folders = [str(number) for number in range(2 * LISTINGS_AT_ONCE)]

    assert LISTINGS_AT_ONCE == 32
    assert listed(Bucket(at_once=32), folders) == {folder: [f"{folder}/0"] for folder in folders}


@pytest.mark.parametrize("size", [0, 1, OBJECTS_A_PAGE - 1, OBJECTS_A_PAGE, OBJECTS_A_PAGE + 1, 3 * OBJECTS_A_PAGE])
def test_each_object_of_a_folder_is_listed_once_in_its_order(size: int) -> None:
    assert listed(Bucket(sizes={"a": size, "b": 2}), ["a", "b"]) == {
        "a": [f"a/{number}" for number in range(size)],
        "b": ["b/0", "b/1"],
    }


def test_a_folder_that_cannot_be_listed_is_an_error() -> None:
    with pytest.raises(TransientError):
        listed(Bucket(), ["a", "broken", "b"])
