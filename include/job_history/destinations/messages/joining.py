"""The way back: from the messages of a document, as they came out of Sumo Logic, to the document's exact bytes."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from job_history.destinations.messages.envelope import Replication, is_of_preflight, opened
from job_history.destinations.messages.splicing import fields_of_message


class JoinError(ValueError):
    """The messages do not give a document; the text names it and what is missing."""


class _Part(NamedTuple):
    replication: Replication
    rest: bytes  # what follows the envelope


class _Send(NamedTuple):
    """Distinguishes two versions of a document, and two ways to cut it, sent under one delivery_id."""

    sha256: str | None
    parts: int


def join(messages: Iterable[bytes]) -> bytes:
    """The document that `messages` carry, byte for byte. They come in any order, with repeats, with or without newline.

    Raises:
        JoinError: parts are missing, or the messages are of several documents, changed on the way, or not ours.
    """
    deliveries = _deliveries(messages)
    if len(deliveries) != 1:
        raise JoinError(f"messages of {len(deliveries)} deliveries, not of one; for a mixed stream use join_each")
    return _document(*deliveries.popitem())


def join_each(messages: Iterable[bytes]) -> Iterator[tuple[str, bytes]]:
    """The (delivery_id, document) of a mixed stream, in the order of their first message; holds all messages meanwhile.

    Raises:
        JoinError: at the end, when all whole documents are out, naming each delivery that gave none and why.
    """
    problems = []
    for delivery_id, parts in _deliveries(messages).items():
        try:
            document = _document(delivery_id, parts)
        except JoinError as problem:
            problems.append(str(problem))
        else:
            yield delivery_id, document
    if problems:
        raise JoinError("\n".join(problems))


def _deliveries(messages: Iterable[bytes]) -> dict[str, list[_Part]]:
    deliveries = defaultdict[str, list[_Part]](list)
    for message in messages:
        if is_of_preflight(message):
            continue
        try:
            part = _Part(*opened(message))
        except ValueError as problem:
            raise JoinError(str(problem)) from problem
        deliveries[part.replication.delivery_id].append(part)
    return deliveries


def _document(delivery_id: str, parts: list[_Part]) -> bytes:
    sends = defaultdict[_Send, dict[int, _Part]](dict)
    for part in parts:
        send = sends[_Send(part.replication.sha256, part.replication.parts)]
        if send.setdefault(part.replication.part, part) != part:
            raise JoinError(
                f"{delivery_id}: part {part.replication.part} of {part.replication.parts} came with two contents; "
                "join the messages of one send alone (they differ in receipt time)"
            )
    whole = {_assembled(delivery_id, send) for key, send in sends.items() if not _missing(key, send)}
    if not whole:
        lacking = "; or ".join(f"{_ranges(_missing(key, send))} of {key.parts}" for key, send in sends.items())
        raise JoinError(f"{delivery_id}: missing parts {lacking}; search again over a longer time")
    if len(whole) > 1:
        raise JoinError(
            f"{delivery_id}: {len(whole)} different documents came under this delivery_id; "
            "join the messages of one send alone (they differ in receipt time)"
        )
    return whole.pop()


def _missing(key: _Send, send: dict[int, _Part]) -> list[int]:
    return [part for part in range(1, key.parts + 1) if part not in send]


def _ranges(numbers: list[int]) -> str:
    """`3, 7-9`: so that a thousand missing parts fit into one message."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1] = [runs[-1][0], number]
        else:
            runs.append([number])
    return ", ".join("-".join(map(str, run)) for run in runs)


def _assembled(delivery_id: str, send: dict[int, _Part]) -> bytes:
    head = bytearray()
    lines = bytearray()
    for _, (replication, rest) in sorted(send.items()):
        match replication.holds:
            case "document" | "head":
                head += fields_of_message(rest, replication)
            case "document text" | "head text":
                head += _text(rest)
            case "lines":
                lines += b"," if lines else b""
                lines += rest.removeprefix(b',"lines":[').removesuffix(b"]}")
            case "line text":
                lines += b"," if lines and replication.piece == 1 else b""
                lines += _text(rest)
    offset = send[1].replication.lines_offset
    document = bytes(head if offset is None else _with_lines(head, lines, offset)) + b"\n"
    sha256 = send[1].replication.sha256
    if sha256 is not None and sha256 != hashlib.sha256(document).hexdigest():
        raise JoinError(
            f"{delivery_id}: the parts are all there but do not give the document's SHA-256 {sha256}; "
            "a message was changed on the way: compare it with what was sent"
        )
    return document


class _Text(msgspec.Struct):
    text: str


def _text(rest: bytes) -> bytes:
    try:
        return msgspec.json.decode(b"{" + rest.removeprefix(b","), type=_Text).text.encode()
    except msgspec.DecodeError:
        return b""  # changed on the way: the digest will say so


def _with_lines(head: bytearray, lines: bytearray, offset: int) -> bytearray:
    before, after = head[:offset], head[offset:]
    comma_before = b"," if before != b"{" else b""
    comma_after = b"," if not comma_before and after != b"}" else b""
    return before + comma_before + b'"lines":[' + lines + b"]" + comma_after + after
