"""One pass over the tokens of JSON text, which finds the edits that the rules ask for."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property, partial
from itertools import accumulate, chain

from job_history.redaction.canonical import json_string, text_of
from job_history.redaction.card_numbers import places_of_candidates
from job_history.redaction.edit import Edit, edited
from job_history.redaction.location import Location, Members, Rule
from job_history.redaction.replacement import MASK, Place, Replacement
from job_history.redaction.tokens import (
    BEFORE,
    BRACKET,
    NAME,
    PARTS,
    VALUE,
    Token,
    indexes_above,
    is_masked,
    last_token_of_value,
    masked,
    tokens_of,
    tokens_with_names,
)
from job_history.redaction.unescape import Unescaped

_LAST_NAME = re.compile(r'"((?:[^"\\]++|\\.)*+)"(?:\s*+:\s*+)?\Z', re.DOTALL)
# A text with an escape or a sign of an address can only be touched if one of these is in it, or a card number. \0 is an
# escape in masked text.
_SIGN = re.compile(r'@|%40|[\uff20\ufe6b]|\\["u]|\0|^"[{\[ \\]')
# Any other text or number, only if one of these is, ...
_RARE_SIGNS = ("\uff20", "\ufe6b")
# ... or one of these, if a rule may be about an element without a name: the beginning of JSON without names.
_JSON_BEGINS = ('"{', '"[', '" ')

TextEdits = Callable[[str, Location, Place, str], list[Edit]]
"""Finds the edits of a text at a location; the last argument is its kind, for reports."""


class JsonPass:
    """`edits_of_text` and `edits_of_number` find what is in a text or a number that no rule is about as a whole."""

    def __init__(
        self,
        text: str,
        place: Place,
        *,
        replacement: Replacement,
        edits_of_text: TextEdits,
        edits_of_number: Callable[[str, Place], list[Edit]],
    ) -> None:
        self._text = text
        self._tokens: list[Token] = []
        self._place = place
        self._replacement = replacement
        self._edits_of_text = edits_of_text
        self._edits_of_number = edits_of_number
        self._edits: list[Edit] = []
        self._dropped: list[tuple[int, int]] = []
        self._renamed: dict[int, str] = {}
        self._new_names: dict[int, set[str]] = {}

    def edits(self, location: Location) -> list[Edit]:
        """Return the edits, in the order of the text. The pass keeps its own stack, so nesting costs no recursion."""
        marks = [*places_of(_RARE_SIGNS, self._text), *places_of_candidates(self._text)]
        masked_text = masked(self._text, marks)
        names = location.skipping.names(self._text, masked_text)
        if names is None:
            self._tokens = tokens_of(self._text)
            marks += places_of(_JSON_BEGINS, self._text)
        else:
            self._tokens = tokens_with_names(masked_text, names)
        starts = self._starts
        suspects = {(bisect_right(starts, mark) - 1) // PARTS for mark in marks}
        members = location.itself
        opened = -1
        around: list[tuple[Members, int]] = []
        following = iter(enumerate(self._tokens))
        for index, (_, name, value, apart) in following:
            if value >= BRACKET and value in "]}":
                members, opened = around.pop()
                continue
            if name and is_masked(name):
                name = self._text[starts[PARTS * index + NAME] : starts[PARTS * index + VALUE]]  # noqa: PLW2901
            here = members[name]
            if name in members.names_that_matter:
                self._rename(members.location, index, opened, here.rule)
            if here.rule is not None:
                self._replace(here.rule, index, last_token_of_value(value, index, following))
            elif value >= BRACKET and value in "[{":
                around.append((members, opened))
                members, opened = here.members, index
            elif here.matters and (index in suspects or (apart and _SIGN.search(apart))):
                self._look_into(here, index)
        if self._dropped:
            self._leave_out()
        self._edits.sort()
        return self._edits

    def _replace(self, rule: Rule, index: int, last: int) -> None:
        start, end = self._start(index, VALUE), self._start(last + 1, BEFORE)
        written = self._text[start:end]
        after = self._replacement.of_json(rule, written, partial(self._path, index))
        if after is None:
            self._dropped.append((index, last))
        elif after != written:
            self._edits.append(Edit(start, end, after))

    def _look_into(self, here: Location, index: int) -> None:
        value = self._text[self._start(index, VALUE) : self._start(index + 1, BEFORE)]
        place = partial(self._path, index)
        edits = (
            self._edits_of_string(value, here, place, "part of a text")
            if value.startswith('"')
            else self._edits_of_number(value, place)
        )
        if edits:
            shift = self._start(index, VALUE)
            self._edits += [Edit(start + shift, end + shift, text) for start, end, text in edits]

    def _edits_of_string(self, written: str, here: Location, place: Place, kind: str) -> list[Edit]:
        """Find the edits of a JSON string: those of its text, where that is written."""
        edits = self._edits_of_text(text_of(written), here, place, kind)
        if not edits:
            return []
        if "\\" not in written:
            return [Edit(start + 1, end + 1, json_string(text)[1:-1]) for start, end, text in edits]
        origin = Unescaped(written[1:-1]).origin
        return [Edit(origin(start) + 1, origin(end) + 1, json_string(text)[1:-1]) for start, end, text in edits]

    def _rename(self, container: Location, index: int, opened: int, rule: Rule | None) -> None:
        """Redact what is in a name. In one object, no two names that are changed may become the same."""
        if rule is not None and rule.action == "drop":
            # The name is left out with its value; this one is for reports.
            self._renamed[index] = f'"{MASK}"'
            return
        written = self._text[self._start(index, NAME) : self._start(index, VALUE)]
        written = written[: written.rindex('"') + 1]
        place = partial(self._path, opened) if opened >= 0 else self._place
        edits = self._edits_of_string(written, container, place, "name")
        if not edits:
            return
        new = edited(written, edits)
        taken = self._new_names.setdefault(opened, set())
        number = 1
        while (numbered := new if number == 1 else f'{new[:-1]} {number}"') in taken:
            number += 1
        taken.add(numbered)
        self._renamed[index] = numbered
        start = self._start(index, NAME)
        self._edits.append(Edit(start, start + len(written), numbered))

    def _leave_out(self) -> None:
        """Take out the members and elements that are dropped, and of the commas around each the one that is left over."""
        leading = -1  # the token whose value becomes the first of its object or array
        for index, last in self._dropped:
            before = self._tokens[index][BEFORE]
            kept = len(before.rstrip(", \t\n\r"))  # other members
            if index == leading and not kept:
                start, leading = self._start(index, BEFORE), last + 1
            else:
                self._without_comma(leading)
                if kept or "," in before:
                    start, leading = self._start(index, BEFORE) + kept, -1
                else:
                    start, leading = self._start(index, NAME), last + 1
            self._edits.append(Edit(start, self._start(last + 1, BEFORE), ""))
        self._without_comma(leading)

    def _without_comma(self, index: int) -> None:
        if 0 <= index < len(self._tokens) and "," in self._tokens[index][BEFORE]:
            start = self._start(index, BEFORE) + self._tokens[index][BEFORE].index(",")
            self._edits.append(Edit(start, start + 1, ""))

    @cached_property
    def _starts(self) -> list[int]:
        """Where each part of each token starts."""
        return [0, *accumulate(map(len, chain.from_iterable(self._tokens)))]

    def _start(self, index: int, part: int) -> int:
        return self._starts[PARTS * index + part]

    def _path(self, index: int) -> str:
        """Return the path of a token's value, with names as they leave."""
        return self._place() + "".join(map(self._step, indexes_above(self._tokens, index)))

    def _step(self, index: int) -> str:
        name = self._renamed.get(index) or self._text[self._start(index, BEFORE) : self._start(index, VALUE)]
        # Without NAME, it is an element, or a member whose name is in BEFORE.
        found = _LAST_NAME.search(name)
        return f".{found[1]}" if found else "[*]"


def places_of(signs: Iterable[str], text: str) -> Iterator[int]:
    """Stream where signs are in a text."""
    for sign in signs:
        place = text.find(sign)
        while place >= 0:
            yield place
            place = text.find(sign, place + 1)
