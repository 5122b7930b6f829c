"""Applies rules to one value, which is JSON text or plain text. What no rule is about stays as it was written."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

from job_history.errors import BadRecordError, QuarantineReason
from job_history.model.json_text import compact_json
from job_history.redaction.amid_text import named_values
from job_history.redaction.canonical import canonical_text, json_string, text_of
from job_history.redaction.edit import Edit, edited, outermost
from job_history.redaction.location import MAX_NAMES_REMEMBERED, Location, Rule
from job_history.redaction.patterns import Pattern, Span
from job_history.redaction.walk import walk

MASK = "***"

_NESTED = ("{", "[", '"', " ", "\n", "\t", "\r")
_KINDS = {'"': "text", "{": "object", "[": "array", "t": "boolean", "f": "boolean"}

Patterns = list[tuple[Rule, Pattern]]


class Change(NamedTuple):
    """What a rule did to a value, without the value: its kind (text, number, ...) and its length in characters."""

    path: str
    rule: Rule
    kind: str
    length: int
    after: str | None


class Redactor:
    """`patterns` are in the order of their rules; `on_change` is told of every change, and makes all this slower."""

    def __init__(
        self, patterns: Patterns, hash_of: Callable[[str], str], on_change: Callable[[Change], None] | None = None
    ) -> None:
        self._patterns = patterns
        self._hash_of = hash_of
        self._on_change = on_change
        self._names: dict[str, str] = {}

    @property
    def tells_paths(self) -> bool:
        return self._on_change is not None

    def value(self, rule: Rule, written: str, path: str) -> str | None:
        """Return the JSON text that stands in place of a value's; None: nothing does. A null has nothing to hide."""
        if written == "null" and rule.action != "drop":
            return written
        text = canonical_text(written) if rule.action == "hash" or written.startswith('"') else written
        after = self._after(rule, text, _KINDS.get(written[:1], "number"), path)
        return None if after is None else json_string(after)

    def whole_text(self, rule: Rule, text: str, path: str) -> str | None:
        """Do the same for plain text."""
        return self._after(rule, text, "text", path)

    def text(self, text: str, location: Location, path: str) -> str:
        """Redact what is in a text: JSON, whole or in part, and what has the looks of something secret."""
        if text.startswith(_NESTED) and (nested := _nested_json(text, path)) is not None:
            redacted = self.json(nested, location, path)
            return text if redacted == nested else redacted
        if '"' in text:
            edits = []
            for found in named_values(text, location):
                after = self._after(found.rule, found.text, "text", f"{path}..{found.name}")
                if after is None:
                    edits.append(Edit(found.name_start, found.end, ""))
                else:
                    edits.append(Edit(found.start, found.end, json_string(after)))
            text = edited(text, edits)
        return self._without_patterns(text, path, "part of a text")

    def json(self, text: str, location: Location, path: str) -> str:
        """Redact what is in compact JSON text."""
        plain = None if self.tells_paths else self._plain_edits(text)
        if plain is None:
            return edited(text, walk(self, text, location, self._patterns, path))
        by_name = walk(self, text, location, [], path) if location.may_lead_on(text) else []
        return edited(text, outermost(by_name, plain)) if by_name or plain else text

    def text_or_number(self, written: str, location: Location, path: str) -> str | None:
        """Redact what is in a text or number that is written as JSON. Returns None where nothing was to be done."""
        if not written.startswith('"'):
            redacted = self._without_patterns(written, path, "number")
            return None if redacted == written else json_string(redacted)
        text = text_of(written)
        redacted = self.text(text, location, path)
        return None if redacted == text else json_string(redacted)

    def name(self, written: str, path: str | None) -> str:
        """Return a member's name, as it is written, without what looks like something secret."""
        redacted = self._names.get(written)
        if redacted is None or self.tells_paths:
            text = text_of(written)
            after = self._without_patterns(text, path, "name")
            redacted = written if after == text else json_string(after)
            if len(self._names) >= MAX_NAMES_REMEMBERED:
                self._names.clear()
            self._names[written] = redacted
        return redacted

    def _plain_edits(self, text: str) -> list[Edit] | None:
        """Find what has the looks of something secret in JSON text as it is written: many times as fast as text by text.

        Returns None where what is written is not what is meant: an escape, a name or a number is part of it, or two
        patterns found the same.
        """
        if self._patterns and "\\u" in text:
            return None
        found = [(span, rule) for rule, pattern in self._patterns for span in pattern(text)]
        found.sort(key=itemgetter(0))
        if not all(_is_plainly_in_a_text(text, span) for span, _ in found):
            return None
        if any(end > start for ((_, end), _), ((start, _), _) in pairwise(found)):
            return None
        return [edit for span, rule in found for edit in self._edits(text, rule, [span], None, "part of a text")]

    def _without_patterns(self, text: str, path: str | None, kind: str) -> str:
        for rule, pattern in self._patterns:
            if spans := pattern(text):
                text = edited(text, self._edits(text, rule, spans, path, kind))
        return text

    def _edits(self, text: str, rule: Rule, spans: list[Span], path: str | None, kind: str) -> list[Edit]:
        return [Edit(start, end, self._after(rule, text[start:end], kind, path) or "") for start, end in spans]

    def _after(self, rule: Rule, text: str, kind: str, path: str | None) -> str | None:
        after = None if rule.action == "drop" else MASK if rule.action == "mask" else self._hash_of(text)
        if self._on_change is not None and path is not None:
            self._on_change(Change(path, rule, kind, len(text), after))
        return after


def _is_plainly_in_a_text(text: str, span: Span) -> bool:
    """Say whether a span of JSON text can be replaced as it is: no part of an escape, of a name, or of a number."""
    start, end = span
    quote = text.find('"', end)
    return (
        text[start - 1] != "\\"
        and text[quote + 1 : quote + 2] != ":"
        and not text[start:end].replace(" ", "").isdigit()
    )


def _nested_json(text: str, path: str) -> str | None:
    """Return the JSON that a text is, without its spaces; None where it is none."""
    try:
        return bytes(compact_json(path, text)).decode()
    except BadRecordError as fault:
        if isinstance(fault.__cause__, RecursionError):
            raise BadRecordError(
                QuarantineReason.REDACTION, f"{path} holds JSON in a text that is nested too deeply to be redacted"
            ) from None
        return None
