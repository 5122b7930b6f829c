"""What a report does about seals: seal the windows of its run, chain by chain, and copy the chains."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import datetime

from job_history.destinations.kind import DocumentStore
from job_history.errors import ReplicationError
from job_history.ledger.receipt_store import Recorded
from job_history.ledger.status_file import PATH as STATUS_PATH
from job_history.ledger.status_file import SealHead, read_status
from job_history.limited_log import LimitedLog
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.seals.chain_sealing import ChainSealing
from job_history.seals.needs import RED_AFTER, AccountPlace, NoTimeError, Sealing, SealReport
from job_history.seals.order import in_order
from job_history.seals.signer import Signer
from job_history.seals.to_seal import ChainToSeal, RevisionsOfChain, of_chains, to_seal
from job_history.seals.unsealed import find_unsealed, unsealed_windows
from job_history.seals.witness import show_to_witnesses
from job_history.storage import Storage, as_they_end, at_once
from job_history_verify.layout import ChainId

log = logging.getLogger(__name__)

DAYS_TO_COMPARE_ALL = 7
"""Each copy is compared as a whole once in so many days: the listing of a year of seals takes 26 requests."""

MAX_SECONDS_FOR_BUCKETS = 600.0
"""A bucket that does not answer takes two minutes for each chain, and the report has half an hour for all accounts."""
MAX_SECONDS_FOR_WAITING = 600.0
"""No window of an earlier report is begun later: a seal takes half a second, and a day without a key leaves thousands.
"""
CHAINS_AT_ONCE = 40
"""Each thread takes 0.3 MB, and a report has the memory of ten thousand accounts besides."""
MAX_HEADS_LOGGED = 10
"""A line for each of ten thousand chains would bury what else is in the log."""


class SealsOfRun:
    """Seals what one report records. Made before any revision is created: its heads must be older than these."""

    def __init__(self, ledger: Storage, sealing: Sealing | None) -> None:
        self._ledger = ledger
        self._sealing = sealing
        self._heads = seal_heads(ledger) if sealing else {}
        self._chains: set[ChainId] = set()

    def look_back(self, chains: Iterable[tuple[int, EventKind]], hours: Iterable[Window]) -> None:
        """Find the windows within hours that killed reports have left without a seal, for `seal` to seal them too.

        Without hours nothing is done. The copies of the chains whose turn it is today are then compared as a whole.
        """
        chains = list(chains)
        if self._sealing is None or not (hours := set(hours)):
            return
        self._chains |= {ChainId(user_id, str(kind)) for user_id, kind in chains}
        wanted = [(user_id, kind, window) for window in hours for user_id, kind in chains]

        def look(user_id: int, kind: EventKind, hours: Window) -> None:
            try:
                for window in find_unsealed(self._ledger, user_id, kind, hours):
                    window.write(self._ledger)
            except ReplicationError as error:
                log.warning("Account %s: its windows without a seal were not looked for: %s", user_id, error)

        at_once(lambda each: look(*each), wanted)

    def seal(self, recorded: Collection[Recorded], now: datetime) -> SealReport:
        """Seal the newest revisions of the run's windows."""
        if self._sealing is None:
            return SealReport()
        whole = {chain for chain in self._chains if (chain.user_id + now.toordinal()) % DAYS_TO_COMPARE_ALL == 0}
        return seal_windows(self._ledger, self._sealing, of_chains(recorded), self._heads, now, whole=whole)


def seal_windows(
    ledger: Storage,
    sealing: Sealing,
    revisions: Iterable[RevisionsOfChain],
    hints: dict[str, SealHead],
    now: datetime,
    *,
    whole: Collection[ChainId] = (),
    clock: Callable[[], float] = time.monotonic,
) -> SealReport:
    """Seal revisions, and what earlier reports could not seal; copy each chain that has news. Raises nothing.

    `hints`: the heads as the status has them, read before the revisions were created. `whole`: chains whose copies are
    compared from their first seal on, also without news. `clock` is in seconds.
    """
    report = SealReport(heads=dict(hints))
    sealing = _with_time_limit(sealing, clock)
    end = clock() + MAX_SECONDS_FOR_WAITING
    try:
        marks = set(unsealed_windows(ledger))
    except ReplicationError as error:
        report.problems.append(f"Nothing was sealed: {error}")
        report.unsealed = None
        return report
    signer: Signer | None = None
    failure: ReplicationError | None = None
    try:
        signer = sealing.signer()
    except ReplicationError as error:
        failure = error

    def seal(each: ChainToSeal) -> ChainSealing:
        hint, in_time = hints.get(str(each.chain)), lambda: clock() < end
        work = ChainSealing(ledger, sealing, each.chain, hint, now=now, marks=marks, whole=each.chain in whole)
        work.run(each, signer, failure, in_time)
        return work

    waits, left, sealed = False, 0, []
    for done in as_they_end(seal, in_order(to_seal(revisions, marks, whole), hints, now), at_once=CHAINS_AT_ONCE):
        if done.head is not None:
            report.heads[str(done.chain)] = done.head
        report.warnings += done.warnings
        report.problems += done.problems
        if done.warnings or done.problems:
            report.failing.add(str(done.chain))
        waits |= done.waits
        left += done.left
        sealed.append(done.chain)
    if left:
        report.warnings.append(f"{left} windows of earlier reports still wait for a seal. The next report seals them.")
    show_to_witnesses(sealing, report, sorted(sealed), now, clock)
    if waits or left:
        _add_overdue(ledger, report, now)
    return report


def _with_time_limit(sealing: Sealing, clock: Callable[[], float]) -> Sealing:
    """Return how to seal so that no bucket is asked after `MAX_SECONDS_FOR_BUCKETS`."""
    end = clock() + MAX_SECONDS_FOR_BUCKETS

    def no_time() -> DocumentStore | None:
        raise NoTimeError("other buckets did not answer for too long. The next report copies them.")

    def place_of(user_id: int) -> AccountPlace | None:
        place = sealing.place_of(user_id)
        return place if place is None or clock() < end else place._replace(open=no_time)

    return replace(sealing, place_of=place_of)


def log_seals(report: SealReport) -> None:
    """Log the warnings, and heads for a witness: of all chains if they are few, else of those with a warning."""
    with LimitedLog(log) as lines:
        for warning in report.warnings:
            lines.warning("%s", warning)
    if not report.heads:
        return
    shown = report.heads
    if len(shown) > MAX_HEADS_LOGGED:
        log.info("%s chains of seals have a head: %s has them all.", f"{len(shown):,}", STATUS_PATH)
        failing = sorted(report.failing & report.heads.keys())
        shown = {chain: report.heads[chain] for chain in failing[:MAX_HEADS_LOGGED]}
    if shown:
        log.info("Heads of the seals, for a witness:\n%s", "\n".join(head_lines(shown)))


def seal_heads(ledger: Storage) -> dict[str, SealHead]:
    """Return the heads that the status has, by `<user_id>/<kind>`. A chain without one is listed."""
    try:
        status = read_status(ledger)
    except ReplicationError as error:
        log.warning("The status in the ledger is not used: %s", error)
        return {}
    return {} if status is None else {key: each.seals for key, each in status.accounts.items() if each.seals}


def later_head(one: SealHead | None, other: SealHead) -> SealHead:
    """Return the head of the longer chain; of one chain, the one that knows more about its copy."""
    if one is None or (one.seq, one.copied) <= (other.seq, other.copied):
        return other
    return one


def head_lines(heads: dict[str, SealHead]) -> list[str]:
    """Return the heads as `--expect-head` takes them."""
    return [f"{chain}/{head.seq}:{head.sha256}" for chain, head in sorted(heads.items())]


def _add_overdue(ledger: Storage, report: SealReport, now: datetime) -> None:
    """Count the windows that wait for a seal, and add a problem for those that have waited too long."""
    try:
        report.unsealed = len(unsealed_windows(ledger))
        overdue = unsealed_windows(ledger, since_before=now - RED_AFTER)
    except ReplicationError as error:
        report.problems.append(f"It is not known which windows are unsealed: {error}")
        report.unsealed = None
        return
    if overdue:
        first = overdue[0]
        report.problems.append(
            f"{len(overdue)} windows are unsealed for more than 24 hours, the first of account {first.user_id}, window "
            f"{first.window.start_text}. The warnings in this log have the reason."
        )
