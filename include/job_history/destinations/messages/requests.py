"""The requests that carry documents: a pure function of the documents and of how they are written down."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from job_history.destinations.messages.batches import Batch, Framing, batches
from job_history.documents.staged import StagedDocument

# Level 6 gains a twelfth of the size for twice the time; level 1 is hardly faster.
COMPRESSION_LEVEL = 3
_GZIP_WITHOUT_TIME = 31  # zlib's own gzip header has no time, so that the same batch is the same bytes


class Encoder(Protocol):
    """How a document becomes messages, and messages the body of a request: pure functions."""

    @property
    def framing(self) -> Framing: ...

    def messages_of(self, document: StagedDocument) -> Iterator[bytes]: ...


@dataclass
class Span:
    """A document, and which messages carry it, counted through all documents: those after `start`, up to `end`.

    `end` is None until its last message is made.
    """

    document: StagedDocument
    start: int
    end: int | None = None


@dataclass(frozen=True)
class Request:
    """A batch on its way, up to message `end`. `completed` end with this batch; `begun` goes on in the next one."""

    sha256: str
    key: str
    body: bytes
    plain_bytes: int
    end: int
    completed: list[Span]
    begun: StagedDocument | None

    @property
    def documents(self) -> list[str]:
        begun = [self.begun.sha256] if self.begun else []
        return [*(span.document.sha256 for span in self.completed), *begun]


def requests_of(documents: Iterator[StagedDocument], encoder: Encoder) -> Iterator[Request]:
    """Return the requests that carry the documents, in their order. Holds one request at a time."""
    spans = deque[Span]()
    end = 0
    for batch in batches(_messages(documents, encoder, spans), encoder.framing):
        end += batch.messages
        completed = []
        while spans and spans[0].end is not None and spans[0].end <= end:
            completed.append(spans.popleft())
        yield Request(
            sha256=batch.sha256,
            key=_key_of(batch, completed, spans, end),
            body=_gzip(batch.body),
            plain_bytes=len(batch.body),
            end=end,
            completed=completed,
            begun=spans[0].document if spans and spans[0].start < end else None,
        )


def _messages(documents: Iterator[StagedDocument], encoder: Encoder, spans: deque[Span]) -> Iterator[bytes]:
    end = 0
    for document in documents:
        span = Span(document, start=end)
        spans.append(span)
        for message in encoder.messages_of(document):
            end += 1
            yield message
        span.end = end


def _key_of(batch: Batch, completed: list[Span], spans: deque[Span], end: int) -> str:
    """Return the delivery id of a request of one document, with the number of the part if it has several."""
    if batch.messages > 1:
        return batch.sha256
    span = completed[0] if completed else spans[0]
    is_whole = span.end is not None and span.end - span.start == 1
    # Another limit makes other parts: a receiver that remembers keys must not take one for the other.
    return span.document.key if is_whole else f"{span.document.key}#{end - span.start}-{batch.sha256[:12]}"


def _gzip(body: bytes) -> bytes:
    compressor = zlib.compressobj(COMPRESSION_LEVEL, zlib.DEFLATED, _GZIP_WITHOUT_TIME)
    return compressor.compress(body) + compressor.flush()
