"""The JSON texts of a record, redacted together: one pass over all costs less than one for each."""

from __future__ import annotations

from collections import defaultdict

from job_history.model.json_text import compact_json
from job_history.redaction.location import Location
from job_history.redaction.redactor import Located, Redactor
from job_history.redaction.replacement import Replacement
from job_history.redaction.tokens import OPENING

_SMALL = 2_000
"""Bytes. A larger text shares a pass only with texts of its location: the pass skips more if it looks for the names
of one location.
"""


class JsonBatch:
    """Takes texts, of which each gets a number, and then has the redacted texts by number."""

    def __init__(self, redactor: Redactor, replacement: Replacement, around: Location) -> None:
        self._redactor = redactor
        self._replacement = replacement
        self._around = around
        self._passes: defaultdict[Location, list[tuple[int, Located]]] = defaultdict(list)
        self._results: list[str | None] = []

    def add(self, text: str | None, location: Location, path: str) -> int:
        """Take a text, and return its number. Raises BadRecordError if a rule is about a text that is not JSON."""
        number = len(self._results)
        self._results.append(text)
        if text is None or (location.rule is None and not location.matters):
            return number
        data = bytes(compact_json(path, text))
        located = Located(data, location, lambda: path)
        if location.rule is not None:
            replacement = self._replacement.of_json(location.rule, data, located.place)
            self._results[number] = None if replacement is None else replacement.decode()
        elif data.startswith(OPENING):
            self._passes[self._around if len(data) < _SMALL else location].append((number, located))
        else:
            [self._results[number]] = self._redactor.json([located], location)
        return number

    def results(self) -> list[str | None]:
        """Return the redacted texts, by number; None for one that is left out."""
        for around, numbered in self._passes.items():
            redacted = self._redactor.json([located for _, located in numbered], around)
            for (number, _), text in zip(numbered, redacted, strict=True):
                self._results[number] = text
        return self._results
