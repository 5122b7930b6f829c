"""Where one message of a request ends and the next begins.

Rules: the service's page "Collecting Multiline Logs". Line breaks are LF, CR LF and CR; nothing else splits a line, so
U+2028 inside a JSON string is safe. Empty lines are no messages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from .settings import Boundaries, SourceSettings
from .timestamps import leftmost

_MULTILINE_MAX_LINES = 2_000
_MULTILINE_MAX_BYTES = 512 * 1024
_LINES_LOOKED_AT = 1_000

_BeginsMessage = Callable[[bytes], bool]


def split_messages(body: bytes, settings: SourceSettings) -> list[bytes]:
    """Split the (decompressed) body of one request; a message never spans two requests."""
    match settings.message_boundaries:
        case Boundaries.REQUEST:
            whole = body.rstrip(b"\r\n")
            return [whole] if whole.strip() else []
        case Boundaries.LINE:
            return split_lines(body)
        case Boundaries.REGEX:
            first_line = re.compile((settings.boundary_regex or "").encode())
            return _grouped(body, lambda line: first_line.fullmatch(line.rstrip(b"\r\n")) is not None)
        case Boundaries.INFER:
            begins_message = _inferred(body)
            return split_lines(body) if begins_message is None else _grouped(body, begins_message)


def split_lines(body: bytes) -> list[bytes]:
    """The lines that are not empty, without their line breaks."""
    return _without_empty(body.splitlines())


def _without_empty(lines: list[bytes]) -> list[bytes]:
    return [line for line in lines if line.strip()]


def _inferred(body: bytes) -> _BeginsMessage | None:
    """Guess what a message's first line looks like; None: each line is a message.

    The real algorithm is not published. This one takes the first of these anchors that the first line has: a time
    stamp at its start, an opening brace, bracket or angle, and asks that it comes back within the first 1,000 lines
    or that all other lines are indented or closing ones, as in pretty-printed JSON.
    """
    lines = _without_empty(body.splitlines()[:_LINES_LOOKED_AT])
    if not lines:
        return None
    for anchor in (_starts_with_timestamp, *(_starts_with(character) for character in (b"{", b"[", b"<"))):
        if anchor(lines[0]):
            others = lines[1:]
            returns = any(anchor(line) for line in others)
            return anchor if returns or all(line[:1] in b" \t}])>" for line in others) else None
    return None


def _starts_with_timestamp(line: bytes) -> bool:
    found = leftmost(line[:80].decode("utf-8", errors="replace"))
    return found is not None and found.offset == 0


def _starts_with(character: bytes) -> _BeginsMessage:
    return lambda line: line.startswith(character)


def _grouped(body: bytes, begins_message: _BeginsMessage) -> list[bytes]:
    """Glue each line to the message before it unless it begins one."""
    messages: list[bytes] = []
    group: list[bytes] = []
    for line in body.splitlines(keepends=True):
        if group and begins_message(line):
            messages.extend(_flushed(group))
            group = []
        group.append(line)
    messages.extend(_flushed(group))
    return messages


def _flushed(group: list[bytes]) -> Iterator[bytes]:
    """One message; or its single lines where it has become too large to be kept together."""
    message = b"".join(group)
    if len(group) > _MULTILINE_MAX_LINES or len(message) > _MULTILINE_MAX_BYTES:
        yield from _without_empty([line.rstrip(b"\r\n") for line in group])
    elif message.strip():
        yield message.rstrip(b"\r\n")
