"""A JSON object's fields after the envelope, byte for byte, and out again."""

from job_history.destinations.messages.envelope import Replication, envelope
from job_history.destinations.messages.renaming import with_own_names, without_taken_names

_NO_FIELDS = b"{}\n"


def message_of_fields(text: bytes, replication: Replication, timestamp_ms: int, max_message_bytes: int) -> bytes | None:
    """The message with the fields of `text`, a JSON object and newline, or None if that is no way to send it.

    `replication` gets the names of renamed fields.
    """
    if len(text) > max_message_bytes:
        return None
    free = without_taken_names(text)
    if free is None:
        return None
    text, replication.renamed = free
    opening = envelope(timestamp_ms, replication)
    if len(opening) + len(text) > max_message_bytes:
        return None
    return opening + b"}\n" if text == _NO_FIELDS else b"".join((opening, b",", memoryview(text)[1:]))


def fields_of_message(rest: bytes, replication: Replication) -> bytes:
    """The JSON object whose fields a message carries, without newline; `rest` is what follows the envelope."""
    return with_own_names(b"{" + rest.removeprefix(b","), replication.renamed)
