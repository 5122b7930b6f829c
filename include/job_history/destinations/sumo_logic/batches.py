"""Messages gathered into requests."""

import hashlib
from collections.abc import Iterable, Iterator

import msgspec

DEFAULT_MAX_BATCH_BYTES = 1_000_000  # Sumo Logic: "up to but not exceeding 1MB of uncompressed data" a request


class Batch(msgspec.Struct, frozen=True):
    """One request."""

    body: bytes  # the messages end to end, not compressed
    messages: int  # how many
    sha256: str  # hex digest of the body


def batches(messages: Iterable[bytes], max_batch_bytes: int = DEFAULT_MAX_BATCH_BYTES) -> Iterator[Batch]:
    """The requests that carry `messages`, in order, each as full as it can be without going over `max_batch_bytes`.

    A pure function of the messages: the same ones in the same order give the same batches, so that what is sent again
    is the same bytes. Holds one batch at a time.

    Raises:
        ValueError: a message does not end with its newline, or is larger than a whole batch.
    """
    gathered, size = list[bytes](), 0
    for message in messages:
        if not message.endswith(b"\n"):
            raise ValueError("a message without its newline at the end would run into the next one; pass it whole")
        if len(message) > max_batch_bytes:
            raise ValueError(
                f"a message of {len(message)} bytes does not fit into a request of {max_batch_bytes}; "
                f"set max_message_bytes to {max_batch_bytes} or less"
            )
        if size + len(message) > max_batch_bytes:
            yield _batch(gathered)
            gathered, size = [], 0
        gathered.append(message)
        size += len(message)
    if gathered:
        yield _batch(gathered)


def _batch(messages: list[bytes]) -> Batch:
    body = b"".join(messages)
    return Batch(body=body, messages=len(messages), sha256=hashlib.sha256(body).hexdigest())
