"""Extract: stream an account's jobs, or its admin events, from its source into a staged file."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from job_history.accounts.account import Account
from job_history.errors import TransientError
from job_history.model.event_kind import EventKind
from job_history.model.job import JobRecord
from job_history.model.record import Record
from job_history.model.slice import Slice
from job_history.pipeline.results import Extracted
from job_history.progress import Progress
from job_history.sources import NotesUnplaceable, Source
from job_history.storage import Storage
from job_history.storage.staging import staged_writer

log = logging.getLogger(__name__)


def read_at() -> str:
    """Return the current time in UTC as text that sorts by time."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def extract(slice_: Slice, account: Account, source: Source[Record], staging: Storage) -> Extracted:
    """Stage the records of a slice. Raises TransientError if the source lists another number of records than it counts."""
    began = read_at()
    part, kind = slice_.part, slice_.kind
    line_details = account.events.line_details if kind is EventKind.JOBS else None
    lines = "" if line_details is None else "; with lines" if line_details else "; without lines"
    log.info("Asked for: %s%s.", slice_.about, lines)
    path = f"{slice_.folder}/{kind}.jsonl.zst"
    with (
        source.listing(slice_.user_id, part, line_details=bool(line_details)) as listing,
        staged_writer(staging, path) as staged,
    ):
        progress = Progress(log, "Read", listing.counted, of=kind.words)
        log.info("The source counts %s %s in %s.", f"{listing.counted:,}", kind.words_by_time, part)
        unclear_masks = 0
        for record in listing:
            staged.append(record)
            progress.add()
            unclear_masks += _unclear_masks(record)
        unplaceable = listing.unplaceable if isinstance(listing, NotesUnplaceable) else None
    if progress.records != listing.counted:
        raise TransientError(
            f"The source of {slice_.about} counts {listing.counted:,} {kind.words}, and lists {progress.records:,}. "
            "Nothing of it was delivered, because it is unknown what is missing. Compare the relation (or view) of "
            f"{kind.words} with a count of your own."
        )
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
    )


def _unclear_masks(record: Record) -> int:
    lines = record.lines if isinstance(record, JobRecord) else None
    return sum(line.mask_data_unclear for line in lines or [])
