"""A dry run: what rules would change in some records, without a value that they would keep from leaving."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import msgspec

from job_history.errors import BadRecordError
from job_history.model.ids import Id
from job_history.model.record import Record, status_without_a_file
from job_history.redaction.policy import Redaction
from job_history.redaction.redactor import Change


class Sampled(msgspec.Struct):
    """A record, what would change in it, and why it would go to quarantine, if it would."""

    id: Id | None
    changes: list[Change]
    fault: str | None = None


def dry_run(
    records: Iterable[Record],
    redaction_that_tells: Callable[[Callable[[Change], None]], Redaction | None],
    *,
    most: int,
) -> Iterator[Sampled]:
    """Apply rules to the first records that would give a document, and tell of each change in turn.

    The redaction is made here, with what is to be called for each change.
    """
    changes: list[Change] = []
    redaction = redaction_that_tells(changes.append)
    for record in islice((each for each in records if status_without_a_file(each) is None), most):
        changes.clear()
        try:
            if redaction is not None:
                redaction.record(record)
        except BadRecordError as bad:
            yield Sampled(record.id, [*changes], bad.explanation)
        else:
            yield Sampled(record.id, [*changes])
