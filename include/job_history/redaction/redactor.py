"""Applies rules to one value, JSON text or plain text, by what it means. All that no rule is about stays as written."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from job_history.errors import BadRecordError, QuarantineReason
from job_history.model.json_text import CompactJson, compact_json
from job_history.redaction.canonical import json_string
from job_history.redaction.edit import Edit, edited, edited_utf8, in_characters, utf8
from job_history.redaction.hits import Hit, outermost
from job_history.redaction.json_pass import JsonPass
from job_history.redaction.location import Location, Rule
from job_history.redaction.patterns import Pattern
from job_history.redaction.replacement import MASK, Place, Replacement
from job_history.redaction.unescape import TooManyLevelsError, levels_of
from job_history.redaction.words import may_hold_named_values, named_values

_JSON_BEGINS = ("{", "[", '"', " ", "\n", "\t", "\r")
_SHORT = 200  # characters; to look into so few takes no longer than to scan them
_PLAIN_NAME = re.compile(r"[\w.$-]{1,64}")

Patterns = list[tuple[Rule, Pattern]]


class Located(NamedTuple):
    """JSON text in UTF-8, and where it is in the record."""

    data: bytes
    location: Location
    place: Place


class Redactor:
    """`patterns` are in the order of their rules.

    The run and the dry run, which asks for reports, are this one code.
    """

    def __init__(self, patterns: Patterns, replacement: Replacement) -> None:
        self._patterns = patterns
        self._replacement = replacement
        self._wholes = [(rule, pattern.is_whole) for rule, pattern in patterns if pattern.is_whole is not None]

    def text(self, text: str, location: Location, path: str) -> str:
        """Redact plain text. Raises BadRecordError if JSON in it is nested too deeply."""
        return edited(text, self._edits_of_text(text, location, lambda: path, "part of a text"))

    def json(self, texts: Sequence[Located], around: Location) -> list[CompactJson]:
        """Redact valid JSON texts, which can be reached from a location around them.

        If there are several, each is an object or array. Raises BadRecordError if JSON in a text is nested too deeply.
        """
        data = b" ".join(each.data for each in texts)
        edits = self._pass(data, [each.place for each in texts]).edits([each.location for each in texts], around)
        results = []
        start = first = 0
        for each in texts:
            end = start + len(each.data)
            last = bisect_left(edits, (end,), first)
            results.append(CompactJson.of_utf8(edited_utf8(data, edits[first:last], start, end)))
            start, first = end + 1, last
        return results

    def _edits_of_json(self, text: str, location: Location, place: Place) -> list[Edit]:
        data = utf8(text)
        return in_characters(data, self._pass(data, [place]).edits([location], location))

    def _pass(self, data: bytes, places: Sequence[Place]) -> JsonPass:
        return JsonPass(
            data,
            places,
            replacement=self._replacement,
            wholes=self._wholes,
            edits_of_text=self._edits_of_text,
            edits_of_number=self._edits_of_number,
        )

    def _edits_of_text(self, text: str, location: Location, place: Place, kind: str) -> list[Edit]:
        if (
            "\\" not in text
            and not text.startswith(_JSON_BEGINS)
            and ('"' not in text or not may_hold_named_values(text))
        ):
            found = [(rule, spans) for rule, pattern in self._patterns if (spans := pattern.find(text))]
            if len(found) <= 1:
                of_text = self._replacement.of_text
                return [
                    (start, end, of_text(rule, text[start:end], kind, place) or "")
                    for rule, spans in found
                    for start, end in spans
                ]
        if len(text) > _SHORT and not location.may_touch(text):
            return []
        if text.startswith(_JSON_BEGINS) and _is_json(text, place):
            return self._edits_of_json(text, location, place)
        try:
            hits = self._hits(text, location, place, kind)
        except TooManyLevelsError:
            raise _too_deep(place) from None
        return [self._edit(hit) for hit in outermost(text, hits)]

    def _edits_of_number(self, written: str, place: Place) -> list[Edit]:
        for rule, pattern in self._patterns:
            if pattern.find(written):
                after = self._replacement.of_text(rule, written, "number", place) or ""
                return [(0, len(written), json_string(after))]
        return []

    def _hits(self, text: str, location: Location, place: Place, kind: str) -> list[Hit]:
        """Find what rules are about in text that is not JSON, as it is written and with its escapes taken out."""
        hits: list[Hit] = []
        for level in levels_of(text):
            origin = level.origin
            for rule, name, value, name_start, start, end in named_values(level.text, location):
                dropped = rule.action == "drop"
                if dropped or value != "null":
                    path = partial(self._path_of_name, place, name)
                    start_ = origin(name_start if dropped else start)
                    hits.append(Hit(start_, origin(end), rule, value, "text", path, level.depth))
            pieces = self._pieces(level.text, place, kind)
            hits += [hit._replace(start=origin(hit.start), end=origin(hit.end)) for hit in pieces]
        return hits

    def _pieces(self, text: str, place: Place, kind: str) -> list[Hit]:
        """Find the pieces of a text that value rules are about."""
        return [
            Hit(start, end, rule, text[start:end], kind, place, None)
            for rule, pattern in self._patterns
            for start, end in pattern.find(text)
        ]

    def _edit(self, hit: Hit) -> Edit:
        after = self._replacement.of_text(hit.rule, hit.text, hit.kind, hit.place)
        if after is None:
            return hit.start, hit.end, ""
        if hit.escapes is not None:
            after = json_string(after)
            for _ in range(hit.escapes):
                after = json_string(after)[1:-1]
        return hit.start, hit.end, after

    def _path_of_name(self, place: Place, name: str) -> str:
        """Return the path of a value between words. Only a plain name is shown: others may hold a part of a value."""
        plain = _PLAIN_NAME.fullmatch(name) and not any(pattern.find(name) for _, pattern in self._patterns)
        return f"{place()}..{name if plain else MASK}"


def _is_json(text: str, place: Place) -> bool:
    """Whether a text is JSON. Half a surrogate pair, which JSON can escape but UTF-8 cannot write, does not matter."""
    try:
        compact_json("", text.encode(errors="replace").decode())
    except BadRecordError as fault:
        if isinstance(fault.__cause__, RecursionError):
            raise _too_deep(place) from None
        return False
    return True


def _too_deep(place: Place) -> BadRecordError:
    return BadRecordError(
        QuarantineReason.REDACTION, f"{place()} holds JSON in a text that is nested too deeply to be redacted"
    )
