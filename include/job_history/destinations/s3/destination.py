"""Create-only delivery to a bucket, with many PUTs in flight."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterator, Sequence
from math import inf
from random import uniform
from typing import Any, Literal, NamedTuple

import obstore
import uvloop
from obstore.exceptions import AlreadyExistsError
from obstore.store import S3Store

from job_history.destinations import Delivery, OnDelivery, StoredObject
from job_history.destinations.s3.adaptive_concurrency import AdaptiveConcurrency
from job_history.destinations.s3.errors import SlowDownError, store_faults
from job_history.documents.staged import StagedDocument
from job_history.errors import ReplicationError, TransientError

log = logging.getLogger(__name__)

# Documents in flight hold no more than this together, or are alone: 256 of 40 MB would be 10 GB.
BYTES_IN_FLIGHT = 16_000_000
# Before an upload is tried again; the task's own retries, minutes apart, are the long ones.
WAITS_SECONDS = (0.1, 0.4, 1.6, 6.4, 12.8)
# No further try of an upload whose tries took longer than that: one that gets no answer takes a minute.
PATIENCE_SECONDS = 100.0


class Stored(NamedTuple):
    """What became of a document, and the store's ETag of the bytes that are under its key now."""

    delivery: Delivery
    e_tag: str | None


class S3Destination:
    """Puts each document under its key, once: an object that is there stays as it is."""

    def __init__(
        self,
        store: S3Store,
        *,
        bucket: str,
        in_flight: int = 256,
        overwrite: bool = False,
        repair: bool = False,
        dry_run: bool = False,
        waits: Sequence[float] = WAITS_SECONDS,
    ) -> None:
        """Uploads run at most `in_flight` at once. The client should not retry: that is done here, where it slows all down.

        `overwrite` is for stores without conditional PUT, where "once" cannot be had. `repair` replaces an object whose bytes
        are not the source's, which otherwise would be a conflict. `dry_run`: nothing is written, and each document is told as
        a create-only delivery would tell it. `waits`: seconds before each further try of an upload.
        """
        self._store = store
        self._bucket = bucket
        self._in_flight = in_flight
        self._overwrite = overwrite
        self._repair = repair
        self._dry_run = dry_run
        self._waits = waits

    def description(self) -> dict[str, Any]:
        return {"type": "s3", "bucket": self._bucket, "write_mode": "overwrite" if self._overwrite else "create_only"}

    def listing(self, folder: str) -> Iterator[StoredObject]:
        """List the objects below a folder, a thousand a request. Raises PermanentError or TransientError."""
        with store_faults(self._bucket, self._store.credential_provider):
            for page in obstore.list(self._store, folder):
                for found in page:
                    yield StoredObject(found["path"], found["size"], found["e_tag"])

    def deliver(self, documents: Iterator[StagedDocument], on_delivery: OnDelivery) -> None:
        """Deliver every document. Raises PermanentError or TransientError at the store's first fault."""
        if self._dry_run:
            self._must_be_there()
        try:
            uvloop.run(self._deliver(documents, on_delivery))
        except* ReplicationError as faults:
            # The first to fail stopped the others; what they may have said as well is the same.
            raise _first_of(faults) from None

    def _must_be_there(self) -> None:
        """Raise PermanentError where there is no bucket: HEAD says of its objects just what it says of missing ones."""
        with store_faults(self._bucket, self._store.credential_provider):
            next(iter(obstore.list(self._store, chunk_size=1)), None)

    async def _deliver(self, documents: Iterator[StagedDocument], on_delivery: OnDelivery) -> None:
        pace = AdaptiveConcurrency(self._in_flight, asyncio.get_running_loop().time)
        turn, room = asyncio.Lock(), _ByteBudget(BYTES_IN_FLIGHT)

        async def work() -> None:
            while True:
                # Whoever waits for room holds the turn, so that no other takes a document into memory.
                async with turn:
                    document = next(documents, None)
                    if document is None:
                        return
                    await room.take(len(document.body))
                try:
                    on_delivery(document, *await self._put(document, pace))
                finally:
                    room.give_back(len(document.body))
                    # A worker that waits for its next turn would hold its last document: 256 workers, 256 documents.
                    del document

        async with asyncio.TaskGroup() as workers:
            for _ in range(self._in_flight):
                workers.create_task(work())
        if pace.slow_downs:
            log.info(
                "The store asked %s times to slow down; %s uploads were in flight in the end.",
                f"{pace.slow_downs:,}",
                pace.in_flight,
            )

    async def _put(self, document: StagedDocument, pace: AdaptiveConcurrency) -> Stored:
        """Put a document, again and again where that may help. Raises the last try's fault.

        A create may be repeated: where a try whose answer was lost did succeed, the comparison finds its object.
        """
        clock = asyncio.get_running_loop().time
        waits = iter(self._waits)
        patience = PATIENCE_SECONDS
        while True:
            wait = next(waits, inf)
            try:
                async with pace:
                    began = clock()
                    with store_faults(self._bucket, self._store.credential_provider):
                        stored = await self._put_once(document, at_last=wait == inf)
            except TransientError as fault:
                if isinstance(fault, SlowDownError):
                    pace.asked_to_slow_down(began)
                patience -= clock() - began
                if wait == inf or patience < 0:
                    raise
            else:
                if stored is not None:
                    pace.uploaded()
                    return stored
            # Not all at the same moment: they failed together.
            await asyncio.sleep(wait * uniform(0.5, 1.0))  # noqa: S311 - no secret

    async def _put_once(self, document: StagedDocument, *, at_last: bool) -> Stored | None:
        """Return None where a create met another writer, and nothing is there now; `at_last` that is raised."""
        content = document.content()
        if self._dry_run:
            return await self._compared(document.key, content) or Stored(Delivery.DELIVERED, None)
        if self._overwrite:
            return Stored(Delivery.DELIVERED, await self._write(document, content, "overwrite"))
        try:
            return Stored(Delivery.DELIVERED, await self._write(document, content, "create"))
        except AlreadyExistsError:
            stored = await self._compared(document.key, content)
            # S3 says 409 where somebody else was writing or deleting just then.
            if stored is None and at_last:
                raise
        if self._repair and stored is not None and stored.delivery is Delivery.CONFLICT:
            stored = Stored(Delivery.DELIVERED, await self._write(document, content, "overwrite"))
            log.warning("Repaired: %s had other bytes than the source has now.", document.key)
        return stored

    async def _write(
        self, document: StagedDocument, content: bytes, mode: Literal["create", "overwrite"]
    ) -> str | None:
        result = await obstore.put_async(
            self._store,
            document.key,
            content,
            attributes=_attributes(document),
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


class _ByteBudget:
    """Room for so many bytes, or for one document that is larger than all of it. For one taker at a time."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken = 0
        self._given_back = asyncio.Event()

    async def take(self, size: int) -> None:
        while self._taken and self._taken + size > self._size:
            self._given_back.clear()
            await self._given_back.wait()
        self._taken += size

    def give_back(self, size: int) -> None:
        self._taken -= size
        self._given_back.set()


def _attributes(document: StagedDocument) -> dict[str, str]:
    """Return the object's metadata: also the redaction that it was made under, of which its bytes tell nothing."""
    attributes = {"Content-Type": "application/json", "sha256": document.sha256}
    if document.redaction is not None:
        attributes["redaction-policy"] = document.redaction.id
        attributes["redaction-sha256"] = document.redaction.sha256
    return attributes


def _first_of(faults: ExceptionGroup[ReplicationError]) -> ReplicationError:
    first = faults.exceptions[0]
    return _first_of(first) if isinstance(first, ExceptionGroup) else first
