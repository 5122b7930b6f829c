"""What every message begins with, before the job's own fields: time, document, part.

A message is one JSON object on one line, in this order and without spaces:

    {"timestamp":1526860810000,"replication":{"delivery_id":"5234/jobs/...","part":1,"parts":1,"holds":"document"},...}

`timestamp` comes first because Sumo Logic takes the time furthest left, and reads it from JSON only as 13 digits under
that name.
"""

import re
from typing import Literal

import msgspec

Holds = Literal["document", "head", "lines", "document text", "head text", "line text"]


class Replication(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The `replication` object. `part` counts from 1, lines from 0 (their place in the document), pieces from 1.

    | `holds` | the message carries | and has |
    | --- | --- | --- |
    | `document` | all fields of the document | |
    | `head` | all fields but `lines` | `lines` (how many), `lines_offset` |
    | `lines` | whole lines, as `lines` | `first_line`, `last_line` |
    | `line text` | as `text`, a piece of the JSON text of a line that is too large alone | `line`, `piece`, `pieces` |
    | `head text` | as `text`, a piece of the JSON text of a head that is too large | as the head, `piece`, `pieces` |
    | `document text` | as `text`, a piece of a document that has no lines to take out | `piece`, `pieces` |
    """

    delivery_id: str
    part: int
    parts: int
    holds: Holds
    sha256: str | None = None  # of the document, if it is split: distinguishes the parts of two versions
    lines: int | None = None
    lines_offset: int | None = None  # in bytes of the head, where the taken-out lines stood
    first_line: int | None = None
    last_line: int | None = None
    line: int | None = None
    piece: int | None = None
    pieces: int | None = None
    renamed: list[tuple[str, int]] | None = None  # fields whose names the envelope takes: name here, offset in bytes


_encode = msgspec.json.Encoder().encode
_replication_of = msgspec.json.Decoder(Replication).decode
_ENVELOPE = re.compile(rb'\{"timestamp":\d{13},"replication":(\{(?:[^"}]|"(?:[^"\\]|\\.)*")*\})')

_PREFLIGHT = re.compile(rb'\{"timestamp":\d{13},"replication":\{"preflight":')


def preflight_message(timestamp_ms: int, note: str, **whose: object) -> bytes:
    """Return the message that a preflight sends. It carries no part of a document, and so has no `delivery_id`."""
    return _encode({"timestamp": timestamp_ms, "replication": {"preflight": note, **whose}}) + b"\n"


def is_of_preflight(message: bytes) -> bool:
    return _PREFLIGHT.match(message) is not None


def envelope(timestamp_ms: int, replication: Replication) -> bytes:
    """The opening of a message, up to and with the end of its `replication`; the object is still to be closed."""
    return b'{"timestamp":%d,"replication":%b' % (timestamp_ms, _encode(replication))


def opened(message: bytes) -> tuple[Replication, bytes]:
    """Take a message apart: its `replication`, and the bytes after it (from the comma or closing brace on).

    Raises:
        ValueError: the message does not begin as `envelope` begins one, or is cut off. Shows nothing of it.
    """
    found = _ENVELOPE.match(message)
    rest = message[found.end() :].rstrip(b"\r\n") if found else b""
    if found is None or not rest.endswith(b"}"):
        raise ValueError(
            f"a message of {len(message)} bytes is not ours, or is cut off: it does not begin with our timestamp and "
            "replication and end with its brace; pass the raw text of messages exactly as they were sent"
        )
    try:
        return _replication_of(found[1]), rest
    except msgspec.DecodeError:
        raise ValueError(f"a message of {len(message)} bytes has a replication object that is not ours") from None
