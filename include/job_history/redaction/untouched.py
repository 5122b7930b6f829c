"""Which records no rule can be about: one scan of all their texts, instead of one for each."""

from __future__ import annotations

import msgspec

from job_history.model.admin_event import EventRecord
from job_history.model.job import JobRecord, LineRecord
from job_history.redaction.location import Location
from job_history.redaction.path import EVENT_FIELDS, LINE_DATA, LINE_FIELDS, TEXT_FIELDS

_LONG = 2_000  # characters; to join longer texts takes longer than to scan each


class Untouched:
    """Answers True only if no rule can be about anything in a record. The record itself is not changed."""

    def __init__(self, root: Location, line: Location) -> None:
        self._root = root
        self._line = line
        self._job_fields = _fields_always_touched(root, (*TEXT_FIELDS, "report"))
        self._line_fields = _fields_always_touched(line, LINE_FIELDS)
        self._event_fields = _fields_always_touched(root, EVENT_FIELDS)

    def job(self, record: JobRecord) -> bool:
        lines = record.lines or ()
        if _is_touched(record, self._job_fields) or any(_is_touched(line, self._line_fields) for line in lines):
            return False
        texts: list[str | None] = [record.title, record.error, record.error_type, record.report]
        for line in lines:
            texts += (_text_or_none(line.input), _text_or_none(line.output), line.error)
            if line.extra and not self._add_extra(texts, line.extra, self._line):
                return False
        return self._add_extra(texts, record.extra, self._root) and self._has_nothing(texts)

    def event(self, record: EventRecord) -> bool:
        if _is_touched(record, self._event_fields):
            return False
        texts = [record.details, record.user, record.team, record.resource]
        return self._add_extra(texts, record.extra, self._root) and self._has_nothing(texts)

    def _add_extra(self, texts: list[str | None], extra: dict[str, str], around: Location) -> bool:
        texts += extra.values()
        return not any(_is_always_touched(around.member(name)) for name in extra)

    def _has_nothing(self, texts: list[str | None]) -> bool:
        present = [text for text in texts if text is not None]
        if any(len(text) >= _LONG and self._root.may_touch(text) for text in present):
            return False
        # A line end is in no name that the scan looks for, in no address and in no card number.
        return not self._root.may_touch("\n".join(text for text in present if len(text) < _LONG))


def _is_always_touched(location: Location) -> bool:
    return location.rule is not None or location.any_text_matters


def _fields_always_touched(around: Location, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if _is_always_touched(around.member(name))]


def _is_touched(record: JobRecord | LineRecord | EventRecord, fields: list[str]) -> bool:
    """Whether one of the fields is there. None is there in a line's data, which becomes null."""
    for field in fields:
        value = getattr(record, field)
        if value is not msgspec.UNSET and (value is not None or field in LINE_DATA):
            return True
    return False


def _text_or_none(text: str | msgspec.UnsetType | None) -> str | None:
    return None if isinstance(text, msgspec.UnsetType) else text
