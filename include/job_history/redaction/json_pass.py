"""One pass over the tokens of JSON text, which finds the edits that the rules ask for."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from functools import partial
from itertools import accumulate

from job_history.redaction.canonical import json_string, text_of
from job_history.redaction.edit import Edit, EditOfBytes, bytes_before, edited_utf8, text_of_utf8, utf8
from job_history.redaction.location import Location, Members, Rule
from job_history.redaction.replacement import MASK, Place, Replacement
from job_history.redaction.tokens import (
    BEFORE,
    CLOSING,
    NAME,
    NAME_END,
    OPENING,
    TEXT,
    VALUE,
    Token,
    indexes_above,
    is_first_member,
    is_in_another_object,
    last_token_of_value,
    marked,
    places_of,
    tokens_of,
    tokens_with_names,
)
from job_history.redaction.unescape import Unescaped

_LAST_NAME = re.compile(rb'"((?:[^"\\]++|\\.)*+)"(?:\s*+:\s*+)?\Z', re.DOTALL)
# A text with an escape or a sign of an address can only be touched if one of these is in it, or a card number.
_SIGN = re.compile(rb'@|%%40|\\u|^"[{\[ \\]|%b' % NAME_END)
# Any other text or number, only if one of these is, ...
_RARE_SIGNS = (b"\xef\xbc\xa0", b"\xef\xb9\xab")  # U+FF20 and U+FE6B in UTF-8
# ... or one of these, if a rule may be about an element without a name: the beginning of JSON without names.
_JSON_BEGINS = (b'"{', b'"[', b'" ')
_PART = "part of a text"

TextEdits = Callable[[str, Location, Place, str], list[Edit]]
"""Finds the edits of a text at a location; the last argument is its kind, for reports."""


class JsonPass:
    """Finds the edits, in bytes, of JSON texts that follow each other with spaces between.

    `wholes` decide whether a JSON string is, as a whole, what a value rule is about. `edits_of_text` and
    `edits_of_number` find what is in any other text or number that no rule is about by its place.
    """

    def __init__(
        self,
        data: bytes,
        places: Sequence[Place],
        *,
        replacement: Replacement,
        wholes: Sequence[tuple[Rule, Callable[[bytes], object]]],
        edits_of_text: TextEdits,
        edits_of_number: Callable[[str, Place], list[Edit]],
    ) -> None:
        self._data = data
        self._places = places
        self._replacement = replacement
        self._wholes = wholes
        self._edits_of_text = edits_of_text
        self._edits_of_number = edits_of_number
        self._tokens: list[Token] = []
        self._ends: list[int] = []
        self._roots: dict[int, Place] = {}
        self._edits: list[EditOfBytes] = []
        self._dropped: list[tuple[int, int]] = []
        self._renamed: dict[int, bytes] = {}
        # By name: the last number of those in use, so that many equal names take linear time.
        self._new_names: dict[int, tuple[int, dict[str, int]]] = {}

    def edits(self, locations: Sequence[Location], around: Location) -> list[EditOfBytes]:
        """Return the edits in their order, given the location of each text, and one from which all can be reached.

        The pass keeps its own stack, so nesting costs no recursion.
        """
        suspects = self._read(around)
        roots = iter(zip(locations, self._places, strict=True))
        members: Members | None = None
        opened = -1
        frames: list[tuple[Members | None, int]] = []
        following = iter(enumerate(self._tokens))
        for index, token in following:
            _, name, value, apart = token
            if value and value in CLOSING:
                members, opened = frames.pop()
                continue
            if members is None:
                here, self._roots[index] = next(roots)
            else:
                if suspects and b"\0" in name:
                    name = self._data[self._start(index, NAME) : self._start(index, VALUE)]
                here = members[name]
                if members.names_that_matter and name in members.names_that_matter:
                    self._rename(members.location, index, opened, here.rule)
                if here.rule is not None:
                    last = last_token_of_value(following) if value and value in OPENING else index
                    self._replace(here.rule, index, last, token)
                    continue
            if value and value in OPENING:
                frames.append((members, opened))
                members, opened = here.members, index
            elif here.matters and (apart or (suspects and index in suspects)):
                self._look_into(here, index, apart, suspects)
        if self._dropped:
            self._leave_out()
            self._edits.sort()
        return self._edits

    def _read(self, around: Location) -> set[int]:
        """Read the tokens, and return those that hold a rare sign or what may be a card number."""
        data = self._data
        names, marks = around.skipping.scan(data)
        if b"\xef" in data:
            marks += places_of(_RARE_SIGNS, data)
        if names is None:
            self._tokens = tokens_of(data)
            marks += places_of(_JSON_BEGINS, data)
        else:
            self._tokens = tokens_with_names(marked(data, marks) if marks else data, names)
        self._ends = [*accumulate(map(len, map(b"".join, self._tokens)))]
        return {bisect_right(self._ends, mark) for mark in marks}

    def _replace(self, rule: Rule, index: int, last: int, token: Token) -> None:
        start, end = self._ends[index] - len(token[VALUE]) - len(token[TEXT]), self._ends[last]
        written = self._data[start:end]
        after = self._replacement.of_json(rule, written, self._path, index)
        if after is None:
            self._dropped.append((index, last))
        elif after != written:
            self._edits.append((start, end, after))

    def _look_into(self, here: Location, index: int, apart: bytes, suspects: Collection[int]) -> None:
        end = self._ends[index]
        for rule, is_whole in self._wholes:
            if is_whole(apart):
                after = self._replacement.of_utf8(rule, apart[1:-1], _PART, self._path, index) or b""
                self._edits.append((end - len(apart) + 1, end - 1, after))
                return
        if not _SIGN.search(apart) and index not in suspects:
            return
        start = self._start(index, VALUE)
        data, place = self._data[start:end], partial(self._path, index)
        if data.startswith(b'"'):
            self._edits += self._edits_of_string(data, here, place, _PART, start)
        else:
            edits = self._edits_of_number(data.decode(), place)
            self._edits += [(start + first, start + last, text.encode()) for first, last, text in edits]

    def _edits_of_string(self, data: bytes, here: Location, place: Place, kind: str, start: int) -> list[EditOfBytes]:
        """Find the edits of a JSON string that starts at a byte: those of its text, at the places where that is
        written.
        """
        inside = text_of_utf8(data[1:-1])
        has_escapes = "\\" in inside
        edits = self._edits_of_text(text_of(f'"{inside}"') if has_escapes else inside, here, place, kind)
        if not edits:
            return []
        if has_escapes:
            origin = Unescaped(inside).origin
            edits = [(origin(first), origin(last), text) for first, last, text in edits]
        if not inside.isascii():
            edits = [(bytes_before(inside, first), bytes_before(inside, last), text) for first, last, text in edits]
        shift = start + 1
        return [
            (first + shift, last + shift, utf8(json_string(text)[1:-1] if '"' in text or "\\" in text else text))
            for first, last, text in edits
        ]

    def _rename(self, container: Location, index: int, opened: int, rule: Rule | None) -> None:
        """Redact what is in a name. In one object, no two names that are changed may become the same."""
        if rule is not None and rule.action == "drop":
            # The name is left out with its value; this one is for reports.
            self._renamed[index] = utf8(f'"{MASK}"')
            return
        start = self._start(index, NAME)
        end = self._data.rindex(b'"', start, self._start(index, VALUE)) + 1
        written = self._data[start:end]
        edits = self._edits_of_string(written, container, partial(self._path, opened), "name", 0)
        if not edits:
            return
        new = text_of_utf8(edited_utf8(written, edits))
        before, taken = self._new_names.get(opened, (opened, {}))
        if is_in_another_object(self._tokens, index, before):
            taken = {}
        self._new_names[opened] = index, taken
        number = taken.get(new, 0) + 1
        while (numbered := new if number == 1 else f'{new[:-1]} {number}"') in taken:
            number += 1
        taken[new] = number
        taken.setdefault(numbered, 1)
        self._renamed[index] = utf8(numbered)
        self._edits.append((start, end, self._renamed[index]))

    def _leave_out(self) -> None:
        """Take out the members and elements that are dropped, and of the commas around each the one that is left
        over.
        """
        leading = -1  # the token whose value becomes the first of its object or array
        for index, last in self._dropped:
            before = self._tokens[index][BEFORE]
            kept = len(before.rstrip(b", \t\n\r"))  # other members
            if index == leading and not kept:
                start, leading = self._start(index, BEFORE), last + 1
            else:
                self._without_comma(leading)
                if not is_first_member(before) and (kept or b"," in before):
                    start, leading = self._start(index, BEFORE) + kept, -1
                else:
                    start, leading = self._start(index, NAME), last + 1
            self._edits.append((start, self._ends[last], b""))
        self._without_comma(leading)

    def _without_comma(self, index: int) -> None:
        before = self._tokens[index][BEFORE] if 0 <= index < len(self._tokens) else b""
        if before.lstrip().startswith(b","):
            start = self._start(index, BEFORE) + before.index(b",")
            self._edits.append((start, start + 1, b""))

    def _start(self, index: int, part: int) -> int:
        """Return the byte at which a part of a token starts."""
        return self._ends[index] - sum(map(len, self._tokens[index][part:]))

    def _path(self, index: int) -> str:
        """Return the path of a token's value, with names as they leave."""
        root, *above = indexes_above(self._tokens, index)
        return self._roots[root]() + "".join(map(self._step, above))

    def _step(self, index: int) -> str:
        name = self._renamed.get(index) or self._data[self._start(index, BEFORE) : self._start(index, VALUE)]
        # Without NAME, it is an element, or a member whose name is in BEFORE.
        found = _LAST_NAME.search(name)
        return f".{text_of_utf8(found[1])}" if found else "[*]"
