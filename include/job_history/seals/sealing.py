"""What a report does about seals: seal the windows of its run, chain by chain, and copy the chains."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from job_history.destinations.kind import DocumentStore
from job_history.errors import PermanentError, ReplicationError
from job_history.errors.code import Code
from job_history.ledger.receipt_store import Recorded, read_receipt
from job_history.ledger.status_file import SealHead, read_status
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.seals.bucket_copy import CopiedChain
from job_history.seals.chain_writer import ChainWriter, Head, Sealed, find_head
from job_history.seals.signer import Signer, fingerprint_of
from job_history.seals.take_back import take_back
from job_history.seals.unsealed import UnsealedWindow, find_unsealed, mark_unsealed, unsealed_windows
from job_history.seals.window_seal import Revision, seal_window, with_unsealed_before
from job_history.storage import Storage
from job_history_verify.layout import ChainId

log = logging.getLogger(__name__)

CHAINS_AT_A_TIME = 32
RED_AFTER = timedelta(hours=24)


class AccountPlace(NamedTuple):
    """Where an account's seals are copied to. `open` returns None for a destination that keeps no objects."""

    prefix: str
    open: Callable[[], DocumentStore | None]


class Witness(NamedTuple):
    """Who gets the heads of an account's chains. `name`: accounts with the same one share a message."""

    name: str
    send: Callable[[bytes], None]


@dataclass(frozen=True)
class Sealing:
    """What sealing needs of the installation.

    `signer` returns None if seals are not signed, and raises PermanentError or TransientError if the key cannot be
    used. `place_of` returns None for an account that is no longer in the Variable.
    """

    signer: Callable[[], Signer | None]
    place_of: Callable[[int], AccountPlace | None]
    witness_of: Callable[[int], Witness | None] = lambda _: None


class SealsOfRun:
    """Seals what one report records. Made before any revision is created: its heads must be older than these."""

    def __init__(self, ledger: Storage, sealing: Sealing | None) -> None:
        self._ledger = ledger
        self._sealing = sealing
        self._heads = seal_heads(ledger) if sealing else {}

    def look_back(self, chains: Iterable[tuple[int, EventKind]], hours: Iterable[Window]) -> None:
        """Find the windows within hours that killed reports have left without a seal, for `seal` to seal them too."""
        if self._sealing is None:
            return
        wanted = [(user_id, kind, window) for window in set(hours) for user_id, kind in chains]
        with ThreadPoolExecutor(CHAINS_AT_A_TIME, "unsealed") as pool:
            try:
                for found in pool.map(lambda each: find_unsealed(self._ledger, *each), wanted):
                    for window in found:
                        mark_unsealed(self._ledger, window)
            except ReplicationError as error:
                log.warning("Windows without a seal were not looked for: %s", error)

    def seal(self, recorded: Iterable[Recorded], now: datetime) -> SealReport:
        """Seal the newest revisions of the run's windows. Warnings are logged."""
        if self._sealing is None:
            return SealReport()
        revisions = [Revision(each.receipt, each.is_new) for each in recorded]
        report = seal_windows(self._ledger, self._sealing, revisions, self._heads, now)
        for warning in report.warnings:
            log.warning("%s", warning)
        return report


@dataclass
class SealReport:
    """`heads` by `<user_id>/<kind>`; `problems` make a run red, `warnings` do not; `unsealed`: windows that wait."""

    heads: dict[str, SealHead] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unsealed: int = 0


def seal_windows(
    ledger: Storage, sealing: Sealing, revisions: Iterable[Revision], hints: dict[str, SealHead], now: datetime
) -> SealReport:
    """Seal revisions, and what earlier reports could not seal; copy each chain that has news. Raises nothing.

    `hints`: the heads as the status has them, read before the revisions were created.
    """
    report = SealReport(heads=dict(hints))
    try:
        marks = set(unsealed_windows(ledger))
        by_chain = _by_chain(ledger, revisions, marks)
    except ReplicationError as error:
        report.problems.append(f"Nothing was sealed: {error}")
        return report
    signer: Signer | None = None
    failure: ReplicationError | None = None
    try:
        signer = sealing.signer()
    except ReplicationError as error:
        failure = error
    with ThreadPoolExecutor(CHAINS_AT_A_TIME, "seals") as pool:

        def seal(chain: ChainId) -> _ChainSealing:
            work = _ChainSealing(ledger, sealing, chain, hints.get(str(chain)), now=now, marks=marks)
            work.run(by_chain[chain], signer, failure)
            return work

        for done in pool.map(seal, sorted(by_chain)):
            if done.head is not None:
                report.heads[str(done.chain)] = done.head
            report.warnings += done.warnings
            report.problems += done.problems
    _show_to_witnesses(sealing, report, sorted(by_chain))
    _add_overdue(ledger, report, now)
    if report.heads:
        log.info("Heads of the seals, for a witness:\n%s", "\n".join(head_lines(report.heads)))
    return report


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


def _show_to_witnesses(sealing: Sealing, report: SealReport, chains: list[ChainId]) -> None:
    """Send the heads of these chains to their accounts' witnesses; what fails is a warning."""
    messages: dict[str, tuple[Witness, list[bytes]]] = {}
    for chain in chains:
        head = report.heads.get(str(chain))
        try:
            witness = sealing.witness_of(chain.user_id)
        except ReplicationError as error:
            report.warnings.append(f"Account {chain}: its witness cannot be used: {error}")
            continue
        if witness is not None and head is not None:
            line = {"user_id": chain.user_id, "kind": chain.kind, "seq": head.seq, "sha256": head.sha256}
            encoded = msgspec.json.encode({"type": "job-history/head/v1", **line})
            messages.setdefault(witness.name, (witness, []))[1].append(encoded)
    for witness, lines in messages.values():
        try:
            witness.send(b"\n".join([*lines, b""]))
        except ReplicationError as error:
            report.warnings.append(
                f"The witness {witness.name!r} did not take the heads of {len(lines)} chains: {error}"
            )


def _by_chain(
    ledger: Storage, revisions: Iterable[Revision], marks: set[UnsealedWindow]
) -> dict[ChainId, list[Revision]]:
    by_window = {UnsealedWindow.of(each.receipt): each for each in revisions}
    for waiting in marks - by_window.keys():
        receipt = read_receipt(ledger, waiting.user_id, waiting.kind, waiting.window)
        if receipt is not None:
            by_window[waiting] = Revision(receipt, is_new=False)
    by_chain: dict[ChainId, list[Revision]] = {}
    for window, revision in by_window.items():
        by_chain.setdefault(ChainId(window.user_id, str(window.kind)), []).append(revision)
    return by_chain


def _add_overdue(ledger: Storage, report: SealReport, now: datetime) -> None:
    """Count the windows that wait for a seal, and add a problem for those that have waited too long."""
    if not report.warnings:
        return
    try:
        report.unsealed = len(unsealed_windows(ledger))
        overdue = unsealed_windows(ledger, since_before=now - RED_AFTER)
    except ReplicationError as error:
        report.problems.append(f"It is not known which windows are unsealed: {error}")
        return
    if overdue:
        first = overdue[0]
        report.problems.append(
            f"{len(overdue)} windows are unsealed for more than 24 hours, the first of account {first.user_id}, window "
            f"{first.window.start_text}. The warnings above have the reason."
        )


def _place_of(sealing: Sealing, user_id: int) -> AccountPlace | None:
    try:
        return sealing.place_of(user_id)
    except ReplicationError as error:
        unreadable = error

    def away() -> DocumentStore | None:
        raise unreadable

    return AccountPlace("", away)


class _ChainSealing:
    """One chain: its windows one after another, then its copy."""

    def __init__(
        self,
        ledger: Storage,
        sealing: Sealing,
        chain: ChainId,
        hint: SealHead | None,
        *,
        now: datetime,
        marks: set[UnsealedWindow],
    ) -> None:
        self.chain = chain
        self.head = hint
        self.warnings: list[str] = []
        self.problems: list[str] = []
        self._ledger = ledger
        self._place = _place_of(sealing, chain.user_id)
        self._now = now
        self._marks = marks

    def run(self, revisions: list[Revision], signer: Signer | None, failure: ReplicationError | None) -> None:
        """Seal the revisions, or note that they wait; then copy. Errors become warnings or problems."""
        bucket: DocumentStore | None = None
        away: ReplicationError | None = None
        try:
            bucket = self._place.open() if self._place else None
        except ReplicationError as error:
            away = error
        writer: ChainWriter | None = None
        waiting = sorted(revisions, key=lambda each: each.order)
        try:
            if failure is not None:
                raise failure
            writer = self._writer(bucket, away, signer)
            while waiting:
                for revision in with_unsealed_before(self._ledger, waiting[0]):
                    self._seal(revision, writer, signer, bucket)
                self._no_longer_waits(waiting.pop(0))
        except ReplicationError as error:
            self._note_waiting(waiting, error)
        if self.head is not None and self._place is not None:
            self._copy(bucket, away, writer.written if writer else [])

    def _seal(
        self, revision: Revision, writer: ChainWriter, signer: Signer | None, bucket: DocumentStore | None
    ) -> None:
        store = (bucket.description if bucket else {}, self._place.prefix if self._place else "")
        sealed = seal_window(self._ledger, writer, revision, signer, store=store, now=self._now)
        before = self.head or SealHead(seq=0, sha256="")
        if sealed.seq > before.seq:
            key = fingerprint_of(signer) if signer else None
            self.head = replace(before, seq=sealed.seq, sha256=sealed.sha256 or "", key=key)

    def _writer(
        self, bucket: DocumentStore | None, away: ReplicationError | None, signer: Signer | None
    ) -> ChainWriter:
        if self.head is not None:
            if self.head.key is not None and signer is None:
                raise PermanentError(
                    f"the newest seal of {self.chain} is signed, and [job_history] signing_conn_id is empty: a seal "
                    "without a signature would be taken for a forged one. Set it again."
                )
            return ChainWriter(self._ledger, self.chain, signer, Head(self.head.seq, self.head.sha256))
        head = find_head(self._ledger, self.chain)
        if head.seq == 0:
            if away is not None:
                # The bucket may have seals that the ledger has lost.
                raise away
            if bucket is not None:
                head = take_back(self._ledger, bucket.storage, self.chain, signer)
        return ChainWriter(self._ledger, self.chain, signer, head)

    def _note_waiting(self, waiting: list[Revision], error: ReplicationError) -> None:
        self.warnings.append(f"Account {self.chain}: {len(waiting)} windows are not sealed: {error}")
        for revision in waiting:
            window = UnsealedWindow.of(revision.receipt)
            try:
                mark_unsealed(self._ledger, window)
            except ReplicationError as unwritten:
                self.problems.append(f"Account {self.chain}, window {window.window}: not sealed: {unwritten}")

    def _no_longer_waits(self, revision: Revision) -> None:
        if (window := UnsealedWindow.of(revision.receipt)) in self._marks:
            self._ledger.delete(window.path)

    def _copy(self, bucket: DocumentStore | None, away: ReplicationError | None, written: list[Sealed]) -> None:
        head = self.head
        if head is None or (bucket is None and away is None):
            return
        try:
            if away is not None or bucket is None:
                raise away or PermanentError("there is no bucket")
            copied = CopiedChain(
                self._ledger,
                bucket.storage,
                self.chain,
                # After a move the whole chain is copied.
                copied=head.copied if head.copied_to == bucket.storage.root else 0,
                overwrites=bucket.overwrites,
            )
            try:
                copied.copy(Head(head.seq, head.sha256), written)
            finally:
                head.copied, head.copied_to = copied.copied, bucket.storage.root
                if copied.cut:
                    self.problems.append(copied.cut)
            head.not_copied_since = None
        except ReplicationError as error:
            head.not_copied_since = head.not_copied_since or self._now
            overdue = self._now - head.not_copied_since > RED_AFTER or error.code is Code.SEALS_OF_ANOTHER
            message = f"Account {self.chain}: its seals are not copied to its bucket: {error}"
            (self.problems if overdue else self.warnings).append(message)
