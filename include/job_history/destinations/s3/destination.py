"""Create-only delivery to a bucket, with many PUTs in flight."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import obstore
import uvloop
from obstore.exceptions import AlreadyExistsError, GenericError
from obstore.store import S3Store

from job_history.destinations import Delivery, OnDelivery
from job_history.destinations.s3.faults import is_cut_off, store_faults
from job_history.errors import ReplicationError
from job_history.transform import StagedDocument

log = logging.getLogger(__name__)

# Documents above this size wait for one of a few places, so that memory stays bounded: 256 of 40 MB would be 10 GB.
LARGE_DOCUMENT_BYTES = 250_000
LARGE_DOCUMENTS_IN_FLIGHT = 3
# Before a create is tried again that another writer was in the way of, or whose connection broke.
WAITS_SECONDS = (0.1, 0.4)


class Stored(NamedTuple):
    """What became of a document, and the store's ETag of the bytes that are under its key now."""

    delivery: Delivery
    e_tag: str | None


class S3Destination:
    """Puts each document under its key, once: an object that is there stays as it is."""

    def __init__(
        self, store: S3Store, *, bucket: str, in_flight: int = 256, overwrite: bool = False, repair: bool = False
    ) -> None:
        """`overwrite` is for stores without conditional PUT, where "once" cannot be had.

        `repair` replaces an object whose bytes are not the source's, which otherwise would be a conflict.
        """
        self._store = store
        self._bucket = bucket
        self._in_flight = in_flight
        self._overwrite = overwrite
        self._repair = repair

    def description(self) -> dict[str, Any]:
        return {"type": "s3", "bucket": self._bucket, "write_mode": "overwrite" if self._overwrite else "create_only"}

    def deliver(self, documents: Iterator[StagedDocument], on_delivery: OnDelivery) -> None:
        """Deliver every document. Raises PermanentError or TransientError at the store's first fault."""
        try:
            uvloop.run(self._deliver(documents, on_delivery))
        except* ReplicationError as faults:
            # The first to fail stopped the others; what they may have said as well is the same.
            raise _first_of(faults) from None

    async def _deliver(self, documents: Iterator[StagedDocument], on_delivery: OnDelivery) -> None:
        turn, places_for_large = asyncio.Lock(), asyncio.Semaphore(LARGE_DOCUMENTS_IN_FLIGHT)

        async def work() -> None:
            while True:
                # Whoever waits for a large place holds the turn, so that no other takes a document into memory.
                async with turn:
                    document = next(documents, None)
                    if document is None:
                        return
                    large = len(document.body) > LARGE_DOCUMENT_BYTES
                    if large:
                        await places_for_large.acquire()
                try:
                    on_delivery(document, *await self._put(document))
                finally:
                    # A worker that waits for its next turn would hold its last document: 256 workers, 256 documents.
                    del document
                    if large:
                        places_for_large.release()

        async with asyncio.TaskGroup() as workers:
            for _ in range(self._in_flight):
                workers.create_task(work())

    async def _put(self, document: StagedDocument) -> Stored:
        content = document.content()
        with store_faults(self._bucket):
            if self._overwrite:
                return Stored(Delivery.DELIVERED, await self._write(document, content, "overwrite"))
            stored = await self._created(document, content)
            if self._repair and stored.delivery is Delivery.CONFLICT:
                stored = Stored(Delivery.DELIVERED, await self._write(document, content, "overwrite"))
                log.warning("Repaired: %s had other bytes than the source's job.", document.key)
        return stored

    async def _created(self, document: StagedDocument, content: bytes) -> Stored:
        """Create the object. The client repeats a request itself, but not one that it takes for not repeatable.

        A create may be repeated here: where the lost try did succeed, the comparison finds its object.
        """
        for wait in (*WAITS_SECONDS, None):
            try:
                return Stored(Delivery.DELIVERED, await self._write(document, content, "create"))
            except AlreadyExistsError:
                if (stored := await self._compared(document.key, content)) is not None:
                    return stored
                # Nothing is there: S3 said 409, because somebody else was writing or deleting just then.
                if wait is None:
                    raise
            except GenericError as fault:
                if wait is None or not is_cut_off(fault):
                    raise
            await asyncio.sleep(wait)
        raise AssertionError("the last of the tries returns or raises")

    async def _write(
        self, document: StagedDocument, content: bytes, mode: Literal["create", "overwrite"]
    ) -> str | None:
        result = await obstore.put_async(
            self._store,
            document.key,
            content,
            attributes={"Content-Type": "application/json", "sha256": document.sha256},
            mode=mode,
            use_multipart=False,
        )
        return result["e_tag"]

    async def _compared(self, key: str, content: bytes) -> Stored | None:
        """Compare the object with what it should be. Returns None where there is none (any more)."""
        try:
            found = await obstore.head_async(self._store, key)
            e_tag = found["e_tag"]
            if found["size"] != len(content):
                return Stored(Delivery.CONFLICT, e_tag)
            # An ETag is the MD5 of the bytes, unless a KMS key or several parts went into the object.
            md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
            if (e_tag or "").strip('"') == md5:
                return Stored(Delivery.ALREADY_PRESENT, e_tag)
            result = await obstore.get_async(self._store, key)
            same = (await result.bytes_async()).to_bytes() == content
        except FileNotFoundError:
            return None
        return Stored(Delivery.ALREADY_PRESENT if same else Delivery.CONFLICT, e_tag)


def _first_of(faults: ExceptionGroup[ReplicationError]) -> ReplicationError:
    first = faults.exceptions[0]
    return _first_of(first) if isinstance(first, ExceptionGroup) else first
