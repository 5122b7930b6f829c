"""Lists many folders of buckets at once, a page at a time, so that memory does not grow with the folders."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from itertools import islice

from job_history.destinations import Listable, StoredObject

LISTINGS_AT_ONCE = 32
OBJECTS_A_PAGE = 500


def pages(
    bucket: Listable, folders: Iterable[str], threads: Executor, at_once: int = LISTINGS_AT_ONCE
) -> Iterator[tuple[str, list[StoredObject]]]:
    """Yield the objects of these folders with the folder, a page at a time, as they arrive.

    Raises what the bucket raises.
    """
    listings = ((folder, _objects(bucket, folder)) for folder in folders)
    under_way: dict[Future[list[StoredObject]], tuple[str, Iterator[StoredObject]]] = {}

    def begin(some: Iterable[tuple[str, Iterator[StoredObject]]]) -> None:
        under_way.update((threads.submit(_next_page, objects), (folder, objects)) for folder, objects in some)

    begin(islice(listings, at_once))
    while under_way:
        arrived, _ = wait(under_way, return_when=FIRST_COMPLETED)
        for page in arrived:
            folder, objects = under_way.pop(page)
            found = page.result()
            begin([(folder, objects)] if len(found) == OBJECTS_A_PAGE else islice(listings, 1))
            yield folder, found


def _objects(bucket: Listable, folder: str) -> Iterator[StoredObject]:
    # Some buckets ask, and fail, before the first object is wanted.
    yield from bucket.listing(folder)


def _next_page(objects: Iterator[StoredObject]) -> list[StoredObject]:
    return list(islice(objects, OBJECTS_A_PAGE))
