"""Extract: stream an account's jobs, or its admin events, from its source into a staged file."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from itertools import islice

from job_history.accounts.account import Account
from job_history.errors import PermanentError, QuarantineReason, TransientError
from job_history.errors.quoting import quoted
from job_history.model.admin_event import EventRecord
from job_history.model.event_kind import EventKind
from job_history.model.job import JobRecord
from job_history.model.record import Record
from job_history.model.slice import Slice
from job_history.model.timestamp import format_time, parse_time
from job_history.pipeline.results import Extracted
from job_history.pipeline.worker_clock import clock_off
from job_history.progress import Progress
from job_history.sources import HasSourceTime, NotesUnplaceable, Source, SupportsRepeatedIds
from job_history.storage import Storage
from job_history.storage.staging import staged_writer

log = logging.getLogger(__name__)

MAX_REPEATED_IDS = 200_000
"""Ids of one window that its source may have more than once; they are kept in memory, some 20 MB."""

MAX_IDS_CHECKED = 200_000
"""Ids of one slice that are kept in memory to find repeated ones, some 20 MB; later ones are not compared."""


def read_at(moment: datetime | None = None) -> str:
    """Return a moment, or else the current time of this worker, in UTC as text that sorts by time."""
    return f"{moment or datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def extract(slice_: Slice, account: Account, source: Source[Record], staging: Storage) -> Extracted:
    """Stage the records of a slice.

    Raises TransientError if the source contradicts itself: it lists another number of records than it counts, a record
    twice, or one of another window. Nothing of the slice is delivered then. A record whose id is in another slice of
    the window as well gets a fault, for the transform to quarantine.

    Raises PermanentError if the source has more than MAX_REPEATED_IDS ids more than once.
    """
    before = datetime.now(UTC)
    began, clock = read_at(before), None
    part, kind = slice_.part, slice_.kind
    line_details = account.events.line_details if kind is EventKind.JOBS else None
    lines = "" if line_details is None else "; with lines" if line_details else "; without lines"
    log.info("Asked for: %s%s.", slice_.about, lines)
    path = f"{slice_.folder}/{kind}.jsonl.zst"
    repeated = _repeated_ids(slice_, source)
    with (
        source.listing(slice_.user_id, part, line_details=bool(line_details)) as listing,
        staged_writer(staging, path) as staged,
    ):
        after = datetime.now(UTC)
        progress = Progress(log, "Read", listing.counted, of=kind.words)
        log.info("The source counts %s %s in %s.", f"{listing.counted:,}", kind.words_by_time, part)
        unclear_masks = 0
        check = _RecordCheck(slice_)
        for record in listing:
            if record.fault is None and str(record.id) in repeated:
                _mark_repeated(record)
            check.add(record)
            staged.append(record)
            progress.add()
            unclear_masks += _unclear_masks(record)
        if isinstance(listing, HasSourceTime) and listing.read_at is not None:
            began, clock = read_at(listing.read_at), clock_off(listing.read_at, before, after)
        unplaceable = listing.unplaceable if isinstance(listing, NotesUnplaceable) else None
    if progress.records != listing.counted:
        raise TransientError(
            f"The source of {slice_.about} counts {listing.counted:,} {kind.words}, and lists {progress.records:,}. "
            "Nothing of it was delivered, because it is unknown what is missing. Compare the relation (or view) of "
            f"{kind.words} with a count of your own."
        )
    check.finish()
    log.info("Read %s. Staged as %s.", progress, staging.url(path))
    return Extracted(
        path=path,
        counted=listing.counted,
        listed=progress.records,
        seconds=round(progress.seconds, 3),
        counted_by=listing.counted_by,
        read_at=began,
        line_details=line_details,
        unplaceable=unplaceable or None,
        unclear_masks=unclear_masks,
        clock_off=clock,
    )


def _repeated_ids(slice_: Slice, source: Source[Record]) -> set[str]:
    """Return the ids that the source has more than once in the window, of which a slice may see only one row."""
    if slice_.of == 1 or not isinstance(source, SupportsRepeatedIds):
        return set()
    repeated = set(islice(source.repeated_ids(slice_.user_id, slice_.window), MAX_REPEATED_IDS + 1))
    if len(repeated) > MAX_REPEATED_IDS:
        raise PermanentError(
            f"The source of {slice_.about} has more than {MAX_REPEATED_IDS:,} ids of {slice_.kind.words} more than "
            f"once, so nothing was delivered. Correct the relation (or view) of {slice_.kind.words}: it may join too "
            "much. Then run the window again."
        )
    return repeated


def _mark_repeated(record: Record) -> None:
    is_event = isinstance(record, EventRecord)
    record.fault = QuarantineReason.DUPLICATE_EVENT_ID if is_event else QuarantineReason.DUPLICATE_JOB_ID
    name = "event_id" if is_event else "job_id"
    record.fault_explanation = f"the source has more than one row with {name} {quoted(record.id)} in this window"


def _unclear_masks(record: Record) -> int:
    lines = record.lines if isinstance(record, JobRecord) else None
    return sum(line.mask_data_unclear for line in lines or [])


class _RecordCheck:
    """Refuses what a source must not list: a record twice, or one whose time is in another window.

    Records with a fault go to quarantine instead: their source has found what is wrong with them.
    """

    def __init__(self, slice_: Slice) -> None:
        self._slice = slice_
        self._ids: set[str] = set()
        self._first: str | None = None

    def add(self, record: Record) -> None:
        if record.fault is not None:
            return
        if record.id is not None and len(self._ids) < MAX_IDS_CHECKED:
            if (record_id := str(record.id)) in self._ids:
                self._note(f"lists {self._slice.kind.word} {quoted(record_id)} more than once")
            self._ids.add(record_id)
        try:
            moment = None if record.moment is None else parse_time(record.moment)
        except ValueError:
            return  # the transform quarantines it
        if moment is not None and moment not in self._slice.part:
            self._note(
                f"lists {self._slice.kind.word} {quoted(str(record.id))}, whose time {format_time(moment)} is outside "
                "of the window"
            )

    def _note(self, contradiction: str) -> None:
        self._first = self._first or contradiction

    def finish(self) -> None:
        """Raise TransientError for the first contradiction, once the listing has ended without an error of its own."""
        if self._first is not None:
            raise TransientError(
                f"The source of {self._slice.about} {self._first}. Nothing of it was delivered. If a retry fails too, "
                "compare the source's own view of this window."
            )
