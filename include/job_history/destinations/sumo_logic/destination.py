"""Delivery to an HTTP source: at least once, and what was acknowledged is not sent again by a retry of the task."""

from __future__ import annotations

import logging
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, NamedTuple

from job_history.destinations import Delivery, OnDelivery
from job_history.destinations.sumo_logic.acknowledgements import Acknowledgements, target_of
from job_history.destinations.sumo_logic.batches import batches
from job_history.destinations.sumo_logic.client import HttpSource
from job_history.destinations.sumo_logic.messages import DEFAULT_MAX_MESSAGE_BYTES, messages_of
from job_history.destinations.sumo_logic.prefetch import prefetch
from job_history.documents.staged import StagedDocument
from job_history.errors import ReplicationError
from job_history.model.timestamp import epoch_milliseconds, parse_time
from job_history.progress import readable_bytes

log = logging.getLogger(__name__)

# Level 6 gains a twelfth of the size for twice the time; level 1 is hardly faster.
COMPRESSION_LEVEL = 3
_GZIP_WITHOUT_TIME = 31  # zlib's own gzip header has no time, so that the same batch is the same bytes
# Sumo Logic reads a time in JSON only as 13 digits: 2001 to 2286. It gives a time outside a year the present one
# anyway.
_FIRST_TIMESTAMP, _LAST_TIMESTAMP = 1_000_000_000_000, 9_999_999_999_999


class _Span(NamedTuple):
    """A document, and which messages carry it, counted through all documents: those after `start`, up to `end`."""

    document: StagedDocument
    start: int
    end: int


@dataclass(frozen=True)
class _Request:
    """A batch on its way. `body` is None if it was acknowledged before; `completed` ends with this batch.

    `moved`: an earlier try had other documents, so that some of these were perhaps sent in another batch.
    """

    number: int
    sha256: str
    body: bytes | None
    plain_bytes: int
    end: int
    completed: list[_Span]
    moved: bool


class _Tally:
    """What was done; `sent_until` and `repeated_until` count messages, as `_Span` does."""

    def __init__(self) -> None:
        self.sent = self.skipped = self.repeated = 0
        self.plain_bytes = self.gzip_bytes = 0
        self.sent_until = self.repeated_until = 0

    def add(self, request: _Request, body: bytes, *, repeated: bool) -> None:
        self.sent += 1
        self.plain_bytes += request.plain_bytes
        self.gzip_bytes += len(body)
        self.sent_until = request.end
        if repeated:
            self.repeated += 1
            self.repeated_until = request.end

    def delivery_of(self, span: _Span) -> Delivery:
        if self.repeated_until > span.start:
            return Delivery.REPEATED
        return Delivery.DELIVERED if self.sent_until > span.start else Delivery.ALREADY_PRESENT


class SumoLogicDestination:
    """Posts documents as messages, in requests of at most 1 MB before gzip, one after another, in the order given.

    The requests are a pure function of the documents. A document is `delivered` once all its requests are acknowledged;
    `already_present` where all of them were by an earlier try of this run; `repeated` if one of them was sent again
    because it was unknown whether it had been stored.
    """

    def __init__(
        self,
        source: HttpSource,
        acknowledgements: Acknowledgements,
        *,
        max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES,
    ) -> None:
        self._source = source
        self._acknowledgements = acknowledgements
        self._max_message_bytes = max_message_bytes

    def description(self) -> dict[str, Any]:
        endpoint, headers = self._source.endpoint, self._source.headers
        return {"type": "sumo_logic", "endpoint": endpoint.shown, **headers, "target": target_of(endpoint, headers)}

    def deliver(self, documents: Iterator[StagedDocument], on_delivery: OnDelivery) -> None:
        """Deliver every document. Raises PermanentError or TransientError if the source does not take a request."""
        left_without_word = self._acknowledgements.begin()
        tally = _Tally()
        with closing(prefetch(self._requests(documents))) as requests:
            for request in requests:
                if request.body is None:
                    tally.skipped += 1
                else:
                    # Only the first one after the acknowledged ones can have been under way when an earlier try ended.
                    perhaps_there = request.moved or (left_without_word and not tally.sent)
                    repeated = self._send(request, request.body, perhaps_there=perhaps_there)
                    tally.add(request, request.body, repeated=repeated)
                for span in request.completed:
                    on_delivery(span.document, tally.delivery_of(span))
        self._acknowledgements.end()
        log.info(
            "Sent %s requests, %s (%s with gzip); %s more had been acknowledged to an earlier try.",
            f"{tally.sent:,}",
            readable_bytes(tally.plain_bytes),
            readable_bytes(tally.gzip_bytes),
            f"{tally.skipped:,}",
        )
        if tally.repeated:
            log.warning(
                "%s requests were sent more than once, because it was unknown whether the source had stored them. "
                "Their messages may be there twice, under the same delivery_id: see the dedup query of "
                "docs/sumo-logic.md.",
                f"{tally.repeated:,}",
            )

    def _send(self, request: _Request, body: bytes, *, perhaps_there: bool) -> bool:
        """Send a request and note its acknowledgement; returns whether it may be there more than once."""
        unknown_before = self._source.unknown_outcomes
        try:
            self._source.send(body)
        except ReplicationError:
            if not perhaps_there and self._source.unknown_outcomes == unknown_before:
                self._acknowledgements.end()
            raise
        self._acknowledgements.add(request.number, request.sha256)
        return perhaps_there or self._source.unknown_outcomes > unknown_before

    def _requests(self, documents: Iterator[StagedDocument]) -> Iterator[_Request]:
        spans = deque[_Span]()
        end = 0
        for batch in batches(self._messages(documents, spans)):
            end += batch.messages
            completed = []
            while spans and spans[0].end <= end:
                completed.append(spans.popleft())
            yield _Request(
                number=batch.number,
                sha256=batch.sha256,
                body=None if batch in self._acknowledgements else _gzip(batch.body),
                plain_bytes=len(batch.body),
                end=end,
                completed=completed,
                moved=self._acknowledgements.has_another(batch),
            )

    def _messages(self, documents: Iterator[StagedDocument], spans: deque[_Span]) -> Iterator[bytes]:
        end = 0
        for document in documents:
            start = end
            for message in messages_of(
                document.content(),
                delivery_id=document.key,
                timestamp_ms=_timestamp(document.completed_at),
                max_message_bytes=self._max_message_bytes,
            ):
                end += 1
                yield message
            spans.append(_Span(document, start, end))


def _timestamp(completed_at: str) -> int:
    return min(max(epoch_milliseconds(parse_time(completed_at)), _FIRST_TIMESTAMP), _LAST_TIMESTAMP)


def _gzip(body: bytes) -> bytes:
    compressor = zlib.compressobj(COMPRESSION_LEVEL, zlib.DEFLATED, _GZIP_WITHOUT_TIME)
    return compressor.compress(body) + compressor.flush()
