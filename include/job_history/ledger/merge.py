"""Decides what the next revision of a window's receipt is, from the newest one and the receipt of one run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace

from job_history.ledger.receipt import REDRIVE, Receipt, RunEntry, WindowState
from job_history.model.timestamp import parse_time

MAX_RUNS_REMEMBERED = 50
# A reading that claims to be later than this after its report is of a clock that is wrong.
MAX_CLOCK_ERROR = timedelta(minutes=1)


def merge(earlier: Receipt, own: Receipt) -> Receipt | None:
    """Return the next revision, or None if it would add nothing.

    Rules, in order: (1) a report repeated after a redrive changes nothing, nor does one whose run is recorded with the
    same outcome; (2) a pause clears no other state; (3) a closed window stays closed; (4) of two closed readings the
    later one gives the counts: by `read_at`, or the later report if a `read_at` is missing or after its own report. The
    runs of both are kept. The item lists are those of the one that gives the counts: the others are carried forward
    by `add_revision`.
    """
    if _was_redriven_since(earlier, own) or all(is_recorded(entry, earlier) for entry in own.runs):
        return None
    runs = _joined(earlier.runs, _with_shrinkage(earlier, own))
    if gives_counts(earlier, own):
        return replace(earlier, runs=runs, reported_at=_reported_at(earlier))
    return replace(own, runs=runs)


def hash_of_lists(paths: Iterable[str]) -> str:
    """Return what `RunEntry.lists` has for these item lists."""
    return hashlib.sha256("\n".join(paths).encode()).hexdigest()[:16]


def has_shrunk(listed: int, before: int) -> bool:
    return listed * 2 < before


def _was_redriven_since(earlier: Receipt, own: Receipt) -> bool:
    runs = [entry.run for entry in earlier.runs]
    if own.read_at != earlier.read_at or own.runs[-1].run not in runs:
        return False
    return any(run.startswith(REDRIVE) for run in runs[runs.index(own.runs[-1].run) + 1 :])


def is_recorded(entry: RunEntry, earlier: Receipt) -> bool:
    """Return whether the run is in the receipt with the same outcome: same state, counts, errors and lists."""
    recorded = _entry_of(entry.run, earlier)
    return (
        recorded is not None
        and (recorded.state, recorded.counts, recorded.faults) == (entry.state, entry.counts, entry.faults)
        and (recorded.lists == entry.lists or not recorded.lists)
    )


def _entry_of(run: str, receipt: Receipt) -> RunEntry | None:
    return next((entry for entry in receipt.runs if entry.run == run), None)


def _joined(earlier: list[RunEntry], own: list[RunEntry]) -> list[RunEntry]:
    repeated = {entry.run for entry in own}
    return [*(entry for entry in earlier if entry.run not in repeated), *own][-MAX_RUNS_REMEMBERED:]


def gives_counts(earlier: Receipt, own: Receipt) -> bool:
    """Return whether the counts stay those of the earlier receipt."""
    if own.state is WindowState.DISABLED:
        return earlier.state is not WindowState.DISABLED
    if not earlier.state.closed:
        return False
    return not own.state.closed or _was_read_before(own, earlier)


def _was_read_before(own: Receipt, earlier: Receipt) -> bool:
    own_read, earlier_read = _read_at(own), _read_at(earlier)
    return own_read is not None and earlier_read is not None and own_read < earlier_read


def _read_at(receipt: Receipt) -> datetime | None:
    """Return when the source was read; None if that is not known, or in the future of the report that it is of."""
    if not receipt.read_at:
        return None
    read_at = parse_time(receipt.read_at)
    return read_at if read_at <= parse_time(_reported_at(receipt)) + MAX_CLOCK_ERROR else None


def _reported_at(receipt: Receipt) -> str:
    return receipt.reported_at or receipt.runs[-1].finished_at


def _with_shrinkage(earlier: Receipt, own: Receipt) -> list[RunEntry]:
    """Note in the run's entry if the later one of two closed readings listed much less; a repeated run keeps that.

    Of two reports at once, the one that is recorded last may have read first: it notes what the other listed. It is
    noted in each later run as well, until one lists more again or accepts it.
    """
    first, later = (own, earlier) if gives_counts(earlier, own) else (earlier, own)
    *others, entry = own.runs
    noted = [_entry_of(entry.run, earlier), next((each for each in reversed(earlier.runs) if each.state.closed), None)]
    before = max(
        first.counts.listed if first.state.closed else 0, *((each and each.shrank_from) or 0 for each in noted)
    )
    shrank = later.state.closed and has_shrunk(later.counts.listed, before) and not entry.accepts_fewer
    return [*others, replace(entry, shrank_from=before if shrank else None)]
