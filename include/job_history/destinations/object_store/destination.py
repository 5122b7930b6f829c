"""Create-only delivery to a bucket, with many PUTs in flight."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Iterator, Sequence
from math import inf
from random import uniform
from typing import Any, NamedTuple

from job_history.accounts.destination_settings import WriteMode
from job_history.destinations import Delivery, OnDelivery, StoredObject
from job_history.destinations.object_store.adaptive_concurrency import AdaptiveConcurrency
from job_history.destinations.object_store.event_loop import run
from job_history.documents.staged import StagedDocument
from job_history.errors import ReplicationError, TransientError
from job_history.limited_log import LimitedLog
from job_history.storage.files import ObjectExistsError, Written
from job_history.storage.problems import SlowDownError
from job_history.storage.s3.bucket import Bucket

log = logging.getLogger(__name__)

# Documents in flight hold no more than this together, or are alone: 256 of 40 MB would be 10 GB.
BYTES_IN_FLIGHT = 16_000_000
# Before a further attempt of an upload; the task's own retries are minutes apart.
WAITS_SECONDS = (0.1, 0.4, 1.6, 6.4, 12.8)
# No further attempt of an upload whose failed attempts took longer: one that gets no answer takes a minute.
FAILED_ATTEMPTS_LIMIT_SECONDS = 100.0


def waits_for(attempts: int | None) -> Sequence[float]:
    """Return the waits that come to so many attempts in all; those of the default if the connection sets no number."""
    if attempts is None:
        return WAITS_SECONDS
    return [*WAITS_SECONDS, *[WAITS_SECONDS[-1]] * attempts][: attempts - 1]


class Stored(NamedTuple):
    """The result of a document, and the store's ETag and version of the object that is under its key now."""

    delivery: Delivery
    e_tag: str | None
    version_id: str | None = None


class ObjectStoreDestination:
    """Puts each document under its key, once: an object that is there stays as it is."""

    def __init__(
        self,
        bucket: Bucket,
        *,
        in_flight: int = 256,
        write_mode: WriteMode = "create_only",
        repair: bool = False,
        dry_run: bool = False,
        waits: Sequence[float] = WAITS_SECONDS,
    ) -> None:
        """Uploads run at most `in_flight` at once. The client should not retry: that is done here, where it slows all
        down.

        `write_mode`: as the account's settings have it. `repair` replaces an
        object whose bytes are not the source's, which otherwise would be a conflict. `dry_run`: nothing is written, and
        each document is reported as a create-only delivery would report it. `waits`: seconds before each further
        attempt of an upload.
        """
        self._bucket = bucket
        self._in_flight = in_flight
        self._write_mode = write_mode
        self._repair = repair
        self._dry_run = dry_run
        self._waits = waits
        self._repaired_objects = LimitedLog(log)

    def description(self) -> dict[str, Any]:
        return {**self._bucket.description(), "write_mode": self._write_mode}

    def listing(self, folder: str) -> Iterator[StoredObject]:
        """List the objects below a folder, a thousand a request. Raises PermanentError or TransientError."""
        for entry in self._bucket.entries(folder):
            yield StoredObject(entry.path, entry.size, entry.e_tag)

    def read(self, key: str) -> bytes | None:
        """Return an object; None if there is none. Raises PermanentError or TransientError."""
        return self._bucket.read(key)

    def deliver(self, documents: Iterator[StagedDocument], on_delivery: OnDelivery) -> None:
        """Deliver every document. Raises PermanentError or TransientError at the store's first error."""
        if self._dry_run:
            # HEAD answers for a missing bucket what it answers for a missing object.
            self._bucket.check_exists()
        try:
            with self._repaired_objects:
                run(self._deliver(documents, on_delivery))
        except* ReplicationError as errors:
            # The first to fail stopped the others, which failed for the same reason.
            raise _first_of(errors) from None

    async def _deliver(self, documents: Iterator[StagedDocument], on_delivery: OnDelivery) -> None:
        concurrency = AdaptiveConcurrency(self._in_flight, asyncio.get_running_loop().time)
        turn, room = asyncio.Lock(), _ByteBudget(BYTES_IN_FLIGHT)

        async def work() -> None:
            while True:
                # While one waits for room it holds the turn, so that no other takes a document into memory.
                async with turn:
                    document = next(documents, None)
                    if document is None:
                        return
                    await room.take(len(document.body))
                try:
                    on_delivery(document, *await self._put(document, concurrency))
                finally:
                    room.give_back(len(document.body))
                    # A worker that waits for its next turn would hold its last document: 256 workers, 256 documents.
                    del document

        async with asyncio.TaskGroup() as workers:
            for _ in range(self._in_flight):
                workers.create_task(work())
        if concurrency.slow_downs:
            log.info(
                "The store asked %s times to slow down; %s uploads were in flight in the end.",
                f"{concurrency.slow_downs:,}",
                concurrency.in_flight,
            )

    async def _put(self, document: StagedDocument, concurrency: AdaptiveConcurrency) -> Stored:
        """Put a document, with further attempts if they may help. Raises the last attempt's error.

        A create may be repeated: if an attempt succeeded whose answer was lost, the comparison finds its object.
        """
        clock = asyncio.get_running_loop().time
        waits = iter(self._waits)
        time_left = FAILED_ATTEMPTS_LIMIT_SECONDS
        while True:
            wait = next(waits, inf)
            try:
                async with concurrency:
                    began = clock()
                    stored = await self._put_once(document, at_last=wait == inf)
            except TransientError as error:
                if isinstance(error, SlowDownError):
                    concurrency.asked_to_slow_down(began)
                time_left -= clock() - began
                if wait == inf or time_left < 0:
                    raise
            else:
                if stored is not None:
                    concurrency.uploaded()
                    return stored
            # Not all at the same moment: they failed together.
            await asyncio.sleep(wait * uniform(0.5, 1.0))  # noqa: S311 - no secret

    async def _put_once(self, document: StagedDocument, *, at_last: bool) -> Stored | None:
        """Return None if a create met another writer, and there is no object now; the last attempt raises instead."""
        content = document.content()
        if self._dry_run:
            return await self._compared(document.key, content) or Stored(Delivery.DELIVERED, None)
        if self._write_mode == "check_then_put" and (there := await self._compared(document.key, content)):
            return await self._repaired(document, content, there)
        create = self._write_mode == "create_only"
        try:
            return Stored(Delivery.DELIVERED, *await self._write(document, content, create=create))
        except ObjectExistsError as exists:
            stored = await self._compared(document.key, content)
            # S3 answers 409 if another client was writing or deleting the object at that moment.
            if stored is None and at_last:
                raise exists.refused from None
        return await self._repaired(document, content, stored)

    async def _repaired(self, document: StagedDocument, content: bytes, stored: Stored | None) -> Stored | None:
        """Replace an object with other bytes, if this is a repair."""
        if not self._repair or stored is None or stored.delivery is not Delivery.CONFLICT:
            return stored
        written = await self._write(document, content, create=False)
        self._repaired_objects.warning("Repaired: %s had other bytes than the source has now.", document.key)
        return Stored(Delivery.DELIVERED, *written)

    async def _write(self, document: StagedDocument, content: bytes, *, create: bool) -> Written:
        return await self._bucket.put(document.key, content, _metadata(document), create=create)

    async def _compared(self, key: str, content: bytes) -> Stored | None:
        """Compare the object with what it should be. Returns None if there is none (any more)."""
        found = await self._bucket.head(key)
        if found is None:
            return None
        if found.size != len(content):
            return Stored(Delivery.CONFLICT, found.e_tag, found.version_id)
        # An ETag is the MD5 of the bytes, unless a KMS key or several parts went into the object.
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if (found.e_tag or "").strip('"') == md5:
            return Stored(Delivery.ALREADY_PRESENT, found.e_tag, found.version_id)
        read = await self._bucket.get(key)
        if read is None:
            return None
        delivery = Delivery.ALREADY_PRESENT if read == content else Delivery.CONFLICT
        return Stored(delivery, found.e_tag, found.version_id)


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


def _metadata(document: StagedDocument) -> dict[str, str]:
    """Return the object's metadata: also the redaction policy of its bytes, which do not show it.

    Azure refuses names with hyphens.
    """
    metadata = {"sha256": document.sha256}
    if document.redaction is not None:
        metadata["redaction_policy"] = document.redaction.id
        metadata["redaction_sha256"] = document.redaction.sha256
    return metadata


def _first_of(errors: ExceptionGroup[ReplicationError]) -> ReplicationError:
    first = errors.exceptions[0]
    return _first_of(first) if isinstance(first, ExceptionGroup) else first
