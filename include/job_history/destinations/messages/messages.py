"""One document as the messages that carry it, none larger than the limit.

A message ends with its newline, and the limit counts it: messages laid end to end are the body of a request.
"""

from __future__ import annotations

from collections.abc import Iterator

from job_history.destinations.messages.envelope import Replication
from job_history.destinations.messages.splicing import message_of_fields
from job_history.destinations.messages.splitting import Split
from job_history.documents.staged import StagedDocument
from job_history.model.timestamp import epoch_milliseconds, parse_time

# Sumo Logic reads a time in JSON only as 13 digits: 2001 to 2286. It gives a time outside a year the present one
# anyway.
_FIRST_TIMESTAMP, _LAST_TIMESTAMP = 1_000_000_000_000, 9_999_999_999_999
DEFAULT_MAX_MESSAGE_BYTES = 65_000  # Sumo Logic slices a message beyond 65,536 bytes, and a slice is no JSON


def messages_of(
    document: bytes, *, delivery_id: str, timestamp_ms: int, max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES
) -> Iterator[bytes]:
    """The messages of one document, in order; a pure function of its arguments.

    A document that fits is one message: the envelope, then the document's bytes as they are, unparsed. A larger one is
    a head (the document without `lines`) and its lines, as many whole ones a message as fit; what is too large alone is
    cut into text. Memory stays within a few times the document: messages are made one at a time.

    Args:
        document: compact UTF-8 JSON object on one line, ended by a newline.
        delivery_id: the document's object key.
        timestamp_ms: epoch milliseconds of `completed_at`, 13 digits.
        max_message_bytes: UTF-8 bytes of a message, with its newline.

    Raises:
        ValueError: the document or the time is not as above, or the limit leaves no room beside the envelope.
    """
    if not (document.startswith(b"{") and document.endswith(b"}\n") and document.find(b"\n") == len(document) - 1):
        raise ValueError(f"{delivery_id}: the document is not one JSON object on one line ended by a newline")
    if not _FIRST_TIMESTAMP <= timestamp_ms <= _LAST_TIMESTAMP:
        raise ValueError(
            f"{delivery_id}: the time {timestamp_ms} is not 13 digits of epoch milliseconds (the years 2001 to 2286), "
            "which is all that Sumo Logic reads in JSON"
        )
    replication = Replication(delivery_id=delivery_id, part=1, parts=1, holds="document")
    message = message_of_fields(document, replication, timestamp_ms, max_message_bytes)
    if message is not None:
        return iter((message,))
    return Split(document, delivery_id, timestamp_ms, max_message_bytes).messages()


def timestamp_of(document: StagedDocument) -> int:
    """Return the end of the document's job in epoch milliseconds, of 13 digits."""
    ended = epoch_milliseconds(parse_time(document.completed_at))
    return min(max(ended, _FIRST_TIMESTAMP), _LAST_TIMESTAMP)
