"""Seals the windows of one chain one after another, then copies the chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime

from msgspec.structs import replace

from job_history.destinations.kind import DocumentStore
from job_history.errors import PermanentError, ReplicationError
from job_history.errors.catalogue import finding
from job_history.errors.code import Code
from job_history.ledger.status_file import SealHead
from job_history.model.timestamp import format_time
from job_history.seals.bucket_copy import CopiedChain
from job_history.seals.chain_writer import (
    ChainWriter,
    Head,
    Sealed,
    find_head,
    head_at,
    read_seal,
    refuse_unsigned,
    seal_of,
)
from job_history.seals.needs import RED_AFTER, NoTimeError, Sealing
from job_history.seals.signer import Signer, fingerprint_of
from job_history.seals.take_back import take_back
from job_history.seals.to_seal import ChainToSeal, read_revision
from job_history.seals.unsealed import UnsealedWindow
from job_history.seals.window_seal import Revision, seal_window, with_unsealed_before
from job_history.storage import Storage
from job_history_verify.chain import MAX_CLOCK_ERROR
from job_history_verify.layout import ChainId

SEALS_READ_AGAIN = 64
"""Without a head in the status, so many of a chain's newest seals are looked through for a revision without a mark."""

# A person must decide: time does not heal these.
_RED_AT_ONCE = {Code.SEALS_OF_ANOTHER, Code.SEALS_LOST}


class ChainSealing:
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
        whole: bool,
    ) -> None:
        """`whole`: the copy is compared from its first seal on. `left` counts windows for which no time was left."""
        self.chain = chain
        self.head = hint
        self.warnings: list[str] = []
        self.problems: list[str] = []
        self.waits = False
        self.left = 0
        self._newest: bytes | None = None
        self._ledger = ledger
        self._place = sealing.place_or_error(chain.user_id)
        self._now = now
        self._marks = marks
        self._whole = whole

    def run(
        self,
        to_seal: ChainToSeal,
        signer: Signer | None,
        failure: ReplicationError | None,
        in_time: Callable[[], bool],
    ) -> None:
        """Seal the revisions and the windows that wait, or note that they wait; then copy.

        Errors become warnings or problems. `in_time`: a window of an earlier report may be begun.
        """
        bucket: DocumentStore | None = None
        away: ReplicationError | None = None
        try:
            bucket = self._place.open() if self._place else None
        except ReplicationError as error:
            away = error
        writer: ChainWriter | None = None
        waiting, unread = list(to_seal.revisions), to_seal.waiting
        try:
            if failure is not None:
                raise failure
            waiting += self._read(unread, in_time)
            earlier, unread = set(unread), []
            waiting.sort(key=lambda each: each.order)
            start = self._start(bucket, away, signer, seals=bool(waiting))
            writer = ChainWriter(self._ledger, self.chain, signer, start, self._newest_sealed_at())
            while waiting:
                if UnsealedWindow.of(waiting[0].receipt) in earlier and not in_time():
                    waiting.pop(0)
                    self.left += 1
                    continue
                for revision in with_unsealed_before(self._ledger, waiting[0]):
                    self._seal(revision, writer, signer, bucket)
                self._no_longer_waits(waiting.pop(0))
        except ReplicationError as error:
            self._note_waiting(waiting, len(unread), error)
        if writer is not None and (to_seal.revisions or to_seal.waiting):
            self._warn_of_clock(writer.sealed_at)
        if self.head is not None and self._place is not None:
            self._copy(bucket, away, writer.written if writer else [])

    def _read(self, marks: list[UnsealedWindow], in_time: Callable[[], bool]) -> Iterator[Revision]:
        for mark in marks:
            if not in_time():
                self.left += 1
                continue
            try:
                yield read_revision(self._ledger, mark)
            except ReplicationError as error:
                self.waits = True
                self.warnings.append(f"Account {self.chain}, window {mark.window}: not sealed: {error}")

    def _newest_sealed_at(self) -> datetime | None:
        return None if self._newest is None else read_seal(self._newest, f"The newest seal of {self.chain}").sealed_at

    def _warn_of_clock(self, sealed_at: datetime | None) -> None:
        if sealed_at is not None and sealed_at - self._now > MAX_CLOCK_ERROR:
            self.warnings.append(
                f"Account {self.chain}: a seal of it was made at {format_time(sealed_at)}, which is later than now: "
                "the clock of a worker is or was wrong. New seals name that time until it is past."
            )

    def _seal(
        self, revision: Revision, writer: ChainWriter, signer: Signer | None, bucket: DocumentStore | None
    ) -> None:
        store = (bucket.description if bucket else {}, self._place.prefix if self._place else "")
        sealed = seal_window(self._ledger, writer, revision, signer, store=store, now=self._now)
        before = self.head or SealHead(seq=0, sha256="")
        if sealed.seq > before.seq:
            key = fingerprint_of(signer) if signer else None
            self.head = replace(before, seq=sealed.seq, sha256=sealed.sha256 or "", key=key)

    def _start(
        self, bucket: DocumentStore | None, away: ReplicationError | None, signer: Signer | None, *, seals: bool
    ) -> Head:
        """Return the seal after which the chain is followed. The status is a hint: the ledger must have that seal."""
        named = self.head
        self._newest = None if named is None else seal_of(self._ledger, self.chain, Head(named.seq, named.sha256))
        if named is not None and self._newest is not None:
            start = Head(named.seq, named.sha256)
            if seals and bucket is not None:
                self._take_back_later(bucket.storage, signer, start)
        else:
            start = self._start_without_status(bucket, away, signer)
        if seals:
            refuse_unsigned(self.chain, self._newest, signer)
        return start

    def _take_back_later(self, bucket: Storage, signer: Signer | None, named: Head) -> None:
        """Take back what the bucket has after the status: a ledger that was restored from a backup is older."""
        try:
            if bucket.read(self.chain.seal(named.seq + 1)) is None:
                return
        except ReplicationError:
            # A bucket that is away delays the copy, and no seal.
            return
        head = find_head(self._ledger, self.chain)
        try:
            head = take_back(self._ledger, bucket, self.chain, signer, head)
        except ReplicationError as error:
            if error.code is not Code.SEALS_OF_ANOTHER:
                raise
            # Who can write to the bucket cannot stop the chain; its copy reports the error.
        if self.head is not None and head.seq > self.head.seq:
            self.head = replace(self.head, seq=head.seq, sha256=head.sha256 or "")
            self._newest = seal_of(self._ledger, self.chain, head)

    def _start_without_status(
        self, bucket: DocumentStore | None, away: ReplicationError | None, signer: Signer | None
    ) -> Head:
        named, self.head = self.head, None
        head = find_head(self._ledger, self.chain)
        if bucket is not None:
            head = take_back(self._ledger, bucket.storage, self.chain, signer, head)
        elif away is not None and (named is not None or head.seq == 0):
            # The bucket may have seals that the ledger has lost.
            raise away
        if named is not None and named.seq > head.seq:
            about = self._ledger.url(self.chain.folder)
            lost = finding(Code.SEALS_LOST, about, before=named.seq, now=head.seq)
            raise PermanentError(str(lost), code=lost.code)
        if head.sha256 is not None:
            self.head = replace(named or SealHead(seq=0, sha256=""), seq=head.seq, sha256=head.sha256)
            self._newest = seal_of(self._ledger, self.chain, head)
        # Another report may have sealed one of these revisions before the listing, and not have marked it yet.
        return head_at(self._ledger, self.chain, max(head.seq - SEALS_READ_AGAIN, 0))

    def _note_waiting(self, waiting: list[Revision], unread: int, error: ReplicationError) -> None:
        """`unread`: the number of windows that wait besides, and have their mark."""
        if waiting or unread or error.code in _RED_AT_ONCE:
            message = f"Account {self.chain}: {len(waiting) + unread} windows are not sealed: {error}"
            (self.problems if error.code in _RED_AT_ONCE else self.warnings).append(message)
        self.waits |= bool(waiting or unread)
        for revision in waiting:
            window = UnsealedWindow.of(revision.receipt)
            try:
                window.write(self._ledger)
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
                newest=self._newest,
            )
            try:
                copied.copy(Head(head.seq, head.sha256), written, whole=self._whole)
            finally:
                head.copied, head.copied_to = copied.copied, bucket.storage.root
                if copied.cut:
                    self.problems.append(copied.cut)
            head.not_copied_since = None
        except ReplicationError as error:
            if not isinstance(error, NoTimeError):
                # The next report asks this bucket after those of the other accounts.
                head.not_copied_since = head.not_copied_since or self._now
            since = head.not_copied_since or self._now
            overdue = self._now - since > RED_AFTER or error.code in _RED_AT_ONCE
            message = f"Account {self.chain}: its seals are not copied to its bucket: {error}"
            (self.problems if overdue else self.warnings).append(message)
