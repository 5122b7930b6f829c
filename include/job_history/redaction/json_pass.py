"""One pass over the tokens of JSON text, which finds the edits that the rules ask for."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
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
    indexes_above,
    last_token_of_value,
    name_of,
    tokens_of,
)  # fmt: skip
from job_history.redaction.unescape import Unescaped

# A text with an escape or a sign of an address can only be touched if one of these is in it, or a card number.
_SIGN = re.compile(r'@|%40|[\uff20\ufe6b]|\\["u]|^"[{\[ \\]')
# Any other text or number, only if one of these is: other signs of addresses, and the beginning of JSON without names.
_RARE_SIGNS = ("\uff20", "\ufe6b", '"{', '"[', '" ')

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
        self._tokens = tokens_of(text)
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
        suspects = self._suspects()
        members = location.itself
        opened = -1
        around: list[tuple[Members, int]] = []
        following = iter(enumerate(self._tokens))
        for index, (_, name, value, apart) in following:
            if value >= BRACKET and value in "]}":
                members, opened = around.pop()
                continue
            here = members[name]
            if name in members.names_that_matter:
                self._rename(members.location, index, opened, here.rule)
            if here.rule is not None:
                self._replace(here.rule, index, last_token_of_value(value, index, following))
            elif value >= BRACKET and value in "[{":
                around.append((members, opened))
                members, opened = here.members, index
            elif here.matters and (index in suspects or (apart and _SIGN.search(apart))):
                self._look_into(here, index, apart or value)
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

    def _suspects(self) -> set[int]:
        """Return the tokens that hold a rare sign or what may be a card number."""
        rare = (place for sign in _RARE_SIGNS for place in places_of(sign, self._text))
        places = [*rare, *places_of_candidates(self._text)]
        return {(bisect_right(self._starts, place) - 1) // PARTS for place in places} if places else set()

    def _look_into(self, here: Location, index: int, value: str) -> None:
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
        written = self._tokens[index][NAME]
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
        """Take out the tokens that are dropped, and of the commas around each the one that is left over."""
        leading = -1  # the token that becomes the first of its object or array
        for index, last in self._dropped:
            if index != leading:
                self._without_comma(leading)
            comma = "," in self._tokens[index][BEFORE] and index != leading
            start = self._start(index, BEFORE if comma or index == leading else NAME)
            self._edits.append(Edit(start, self._start(last + 1, BEFORE), ""))
            leading = -1 if comma else last + 1
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
        names = (self._renamed.get(each, self._tokens[each][NAME]) for each in indexes_above(self._tokens, index))
        return self._place() + "".join("." + name_of(name) if name else "[*]" for name in names)


def places_of(sign: str, text: str) -> Iterator[int]:
    place = text.find(sign)
    while place >= 0:
        yield place
        place = text.find(sign, place + 1)
