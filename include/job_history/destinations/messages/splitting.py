"""A document that is too large for one message, cut into several.

The cuts are settled first, as offsets, because every message has their number; then the messages are made one at
a time.
"""

import hashlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

from msgspec.structs import replace

from job_history.destinations.messages.envelope import Holds, Replication, envelope
from job_history.destinations.messages.fields import element_ends, fields_of
from job_history.destinations.messages.splicing import message_of_fields
from job_history.destinations.messages.text_pieces import escaped, piece_ends

_LEAST_ROOM = 64  # bytes of text a message; below that a document would be sent as little but envelopes

_LINES = (b',"lines":[', b"]}\n")
_TEXT = (b',"text":"', b'"}\n')
_WRAPPING = {"head": (b"", b""), "lines": _LINES, "document text": _TEXT, "head text": _TEXT, "line text": _TEXT}


class _Cut(NamedTuple):
    replication: Replication  # its part and parts are set when all cuts are known
    source: bytes
    start: int
    end: int


class _Anatomy(NamedTuple):
    head: bytes
    lines_offset: int  # in the head
    first_line_start: int  # in the document, as the ends
    line_ends: "array[int]"


@dataclass(frozen=True)
class Split:
    """The parts of one document; see `messages_of` for the arguments and `Replication` for the parts."""

    document: bytes
    delivery_id: str
    timestamp_ms: int
    max_message_bytes: int

    def messages(self) -> Iterator[bytes]:
        """The messages, in the order of their parts.

        Raises:
            ValueError: at once if the limit leaves too little room beside the envelope, or `piece_ends` refuses the
                text.
        """
        cuts = [*self._head_cuts(), *self._line_cuts()]
        return (self._message(cut, part, len(cuts)) for part, cut in enumerate(cuts, start=1))

    @cached_property
    def _anatomy(self) -> _Anatomy:
        fields = fields_of(self.document) or ()
        lines = next((field for field in fields if self.document.startswith(b'"lines":', field.start)), None)
        ends = element_ends(self.document, lines.value_start, lines.end) if lines else array("Q")
        if not lines or not ends:
            return _Anatomy(self.document, 0, 0, ends)
        start, end = lines.start, lines.end
        if self.document[start - 1 : start] == b",":
            start -= 1
        elif self.document[end : end + 1] == b",":
            end += 1
        return _Anatomy(self.document[:start] + self.document[end:], start, lines.value_start + 1, ends)

    @cached_property
    def _sha256(self) -> str:
        return hashlib.sha256(self.document).hexdigest()

    def _head_cuts(self) -> Iterator[_Cut]:
        head, offset, _, line_ends = self._anatomy
        if not line_ends:
            yield from self._text_cuts(self._replication("document text"), head, 0, len(head) - 1)
            return
        replication = self._replication("head", lines=len(line_ends), lines_offset=offset)
        message = message_of_fields(head, replication, self.timestamp_ms, self.max_message_bytes)
        if message is not None:
            yield _Cut(replication, message, len(envelope(self.timestamp_ms, replication)), len(message))
            return
        replication = self._replication("head text", lines=len(line_ends), lines_offset=offset)
        yield from self._text_cuts(replication, head, 0, len(head) - 1)

    def _line_cuts(self) -> Iterator[_Cut]:
        _, _, start, line_ends = self._anatomy
        first = 0  # of the lines gathered for the next message, which begin at `start`
        room = self._room_beside(self._replication("lines", first_line=self._largest, last_line=self._largest))
        for line, end in enumerate(line_ends):
            if end - start > room and first < line:
                yield self._lines_cut(first, line - 1)
                first, start = line, line_ends[line - 1] + 1
            if end - start > room:
                yield from self._text_cuts(self._replication("line text", line=line), self.document, start, end)
                first, start = line + 1, end + 1
        if first < len(line_ends):
            yield self._lines_cut(first, len(line_ends) - 1)

    def _lines_cut(self, first: int, last: int) -> _Cut:
        _, _, start, line_ends = self._anatomy
        if first:
            start = line_ends[first - 1] + 1
        return _Cut(self._replication("lines", first_line=first, last_line=last), self.document, start, line_ends[last])

    def _text_cuts(self, replication: Replication, text: bytes, start: int, end: int) -> Iterator[_Cut]:
        room = self._room_beside(replace(replication, piece=self._largest, pieces=self._largest))
        if room < _LEAST_ROOM:
            raise ValueError(
                f"max_message_bytes is {self.max_message_bytes}, too small to cut {self.delivery_id}: "
                f"give at least {self.max_message_bytes + _LEAST_ROOM - room}"
            )
        ends = list(piece_ends(text, start, end, room))
        for piece, (piece_start, piece_end) in enumerate(pairwise([start, *ends]), start=1):
            yield _Cut(replace(replication, piece=piece, pieces=len(ends)), text, piece_start, piece_end)

    @property
    def _largest(self) -> int:
        # For numbers that are not known yet: each line, part and piece that is counted has at least a byte.
        return len(self.document)

    def _replication(self, holds: Holds, **what_it_holds: Any) -> Replication:
        return Replication(
            delivery_id=self.delivery_id,
            part=self._largest,
            parts=self._largest,
            holds=holds,
            sha256=self._sha256,
            **what_it_holds,
        )

    def _room_beside(self, replication: Replication) -> int:
        before, after = _WRAPPING[replication.holds]
        opening = envelope(self.timestamp_ms, replication)
        return self.max_message_bytes - len(opening) - len(before) - len(after)

    def _message(self, cut: _Cut, part: int, parts: int) -> bytes:
        replication, body = cut.replication, cut.source[cut.start : cut.end]
        replication.part, replication.parts = part, parts
        before, after = _WRAPPING[replication.holds]
        if replication.piece is not None:
            body = escaped(body)
        return b"".join((envelope(self.timestamp_ms, replication), before, body, after))
