"""Messages gathered into requests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

import msgspec


class Framing(msgspec.Struct, frozen=True, kw_only=True):
    """How messages are put together, and how much one request may carry before compression."""

    max_batch_bytes: int
    max_batch_messages: int = 1_000_000
    before: bytes = b""
    between: bytes = b""
    after: bytes = b""


class Batch(msgspec.Struct, frozen=True):
    """One request: `body` is not compressed; `messages`: how many; `sha256`: hex digest of the body."""

    body: bytes
    messages: int
    sha256: str


def batches(messages: Iterable[bytes], framing: Framing) -> Iterator[Batch]:
    """Return the requests that carry the messages, in order, each as full as it can be.

    A pure function of the messages: the same ones in the same order give the same batches, so that what is sent again
    is the same bytes. Holds one batch at a time. Raises ValueError for a message that is larger than a whole batch.
    """
    around = len(framing.before) + len(framing.after)
    gathered, size = list[bytes](), around
    for message in messages:
        if len(message) + around > framing.max_batch_bytes:
            raise ValueError(
                f"a message of {len(message)} bytes does not fit into a request of {framing.max_batch_bytes}; "
                "set max_message_bytes to less"
            )
        added = len(message) + len(framing.between) * bool(gathered)
        if size + added > framing.max_batch_bytes or len(gathered) >= framing.max_batch_messages:
            yield _batch(gathered, framing)
            gathered, size, added = [], around, len(message)
        gathered.append(message)
        size += added
    if gathered:
        yield _batch(gathered, framing)


def _batch(messages: list[bytes], framing: Framing) -> Batch:
    body = framing.before + framing.between.join(messages) + framing.after
    return Batch(body=body, messages=len(messages), sha256=hashlib.sha256(body).hexdigest())
