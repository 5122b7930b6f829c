"""The JSON texts of a record, redacted together: one pass over all costs less than one for each."""

from __future__ import annotations

from job_history.model.json_text import compact_json
from job_history.redaction.location import Location
from job_history.redaction.redactor import Located, Redactor
from job_history.redaction.replacement import Replacement
from job_history.redaction.tokens import OPENING


class JsonBatch:
    """Takes texts, of which each gets a number, and then has the redacted texts by number."""

    def __init__(self, redactor: Redactor, replacement: Replacement, around: Location) -> None:
        self._redactor = redactor
        self._replacement = replacement
        self._around = around
        self._together: list[Located] = []
        self._numbers: list[int] = []
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
            self._results[number] = self._replacement.of_json(location.rule, data.decode(), located.place)
        elif data.startswith(OPENING):
            self._together.append(located)
            self._numbers.append(number)
        else:
            [self._results[number]] = self._redactor.json([located], location)
        return number

    def results(self) -> list[str | None]:
        """Return the redacted texts, by number; None for one that is left out."""
        redacted = self._redactor.json(self._together, self._around) if self._together else []
        for number, text in zip(self._numbers, redacted, strict=True):
            self._results[number] = text
        return self._results
