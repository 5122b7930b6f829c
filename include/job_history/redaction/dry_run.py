"""A dry run: what rules would change in some records, without the values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import msgspec

from job_history.errors import BadRecordError
from job_history.model.admin_event import EventRecord
from job_history.model.ids import Id
from job_history.model.json_text import compact_json
from job_history.model.record import Record, status_without_a_file
from job_history.redaction.policy import Redaction
from job_history.redaction.replacement import Change


class Sampled(msgspec.Struct):
    """A record, what would change in it, and why it would go to quarantine, if it would."""

    id: Id | None
    changes: list[Change]
    fault: str | None = None


def dry_run(
    records: Iterable[Record],
    redaction_with_reports: Callable[[Callable[[Change], None]], Redaction | None],
    *,
    most: int,
) -> Iterator[Sampled]:
    """Apply rules to the first `most` records that would give a document, and stream what would change in each.

    `redaction_with_reports` makes the redaction, given the function that takes each change.
    """
    changes: list[Change] = []
    redaction = redaction_with_reports(changes.append)
    for record in islice((each for each in records if status_without_a_file(each) is None), most):
        changes.clear()
        try:
            if redaction is not None:
                redaction.record(record)
                _check_json(record)
        except BadRecordError as bad:
            yield Sampled(record.id, [*changes], bad.explanation)
        else:
            yield Sampled(record.id, [*changes])


def _check_json(record: Record) -> None:
    """Raise BadRecordError if a text of the record is no JSON, as its document would.

    Rules that find nothing do not.
    """
    fields = ("details", "user", "team", "resource") if isinstance(record, EventRecord) else ("report",)
    for field in fields:
        compact_json(field, getattr(record, field))
    for name, text in record.extra.items():
        compact_json(name, text)
    for number, line in enumerate((not isinstance(record, EventRecord) and record.lines) or ()):
        for value in (line.input, line.output, *line.extra.values()):
            if not isinstance(value, msgspec.UnsetType):
                compact_json(f"lines[{number}]", value)
