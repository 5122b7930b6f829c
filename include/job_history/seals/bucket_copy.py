"""The copy of a chain in the account's own bucket: in the order of seq, from the last one that is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from job_history.errors import PermanentError
from job_history.errors.catalogue import finding
from job_history.errors.code import Code
from job_history.seals.chain_writer import Head, Sealed, sealed_at, seqs_below
from job_history.storage import Storage
from job_history_verify.layout import ChainId
from job_history_verify.seal import parse_seal


class CopiedChain:
    """Copies one chain. `copied`: the highest seq that was copied before, 0 if none is known to be.

    `bucket` begins below the destination's prefix. `overwrites`: it cannot create only, so that it is read first.
    `newest`: a seal of the ledger that need not be read again.
    """

    def __init__(
        self,
        ledger: Storage,
        bucket: Storage,
        chain: ChainId,
        *,
        copied: int,
        overwrites: bool,
        newest: bytes | None = None,
    ) -> None:
        self._ledger = ledger
        self._bucket = bucket
        self._chain = chain
        self._overwrites = overwrites
        self._newest = newest
        self.copied = copied
        self.cut: str | None = None

    def copy(self, head: Head, written: Iterable[Sealed], *, whole: bool = False) -> None:
        """Copy what is missing up to the head; `written` are seals that need not be read again.

        `whole`: the bucket is listed, and each file that it lacks of the seals copied before is copied again; without
        it only the last one of them is looked for. `cut` is then a message with code SEALS_CUT if seals or their files
        had been removed from the bucket. Raises PermanentError with code SEALS_OF_ANOTHER if another seal is under a
        number, and what bucket and ledger raise.
        """
        before = self.copied
        self._find_last()
        now = self.copied - self._copied_again() if whole else self.copied
        if now < before:
            about = self._bucket.url(self._chain.folder)
            self.cut = str(finding(Code.SEALS_CUT, about, before=before, now=now))
        known = {sealed.head.seq: sealed for sealed in written}
        for seq in range(self.copied + 1, head.seq + 1):
            for path, read in self._files(known.get(seq) or sealed_at(self._ledger, self._chain, seq)):
                self._create(path, read())
            self.copied = seq

    def _find_last(self) -> None:
        """Set `copied` to the last seal that is in the bucket, and compare it with the ledger's."""
        path = self._chain.seal(self.copied or 1)
        content = self._bucket.read(path)
        if content is not None and content != self._newest:
            self._compare(path, content, self._ledger.read(path))
        if not self.copied or content is None:
            # Up to the first one that is missing.
            seqs = seqs_below(self._bucket, self._chain)
            self.copied = next((place for place, seq in enumerate(seqs) if seq != place + 1), len(seqs))

    def _copied_again(self) -> int:
        """Copy the files that are missing of the seals up to `copied`; return how many seals lacked one."""
        there = set(self._bucket.paths(self._chain.folder))
        if all(path in there for path in self._ledger.paths(self._chain.folder)):
            return 0
        lacking = 0
        # What a killed report left in the ledger is of no seal.
        for seq in range(1, self.copied + 1):
            missing = [each for each in self._files(sealed_at(self._ledger, self._chain, seq)) if each[0] not in there]
            for path, read in missing:
                self._create(path, read())
            lacking += bool(missing)
        return lacking

    def _files(self, sealed: Sealed) -> Iterator[tuple[str, Callable[[], bytes]]]:
        """Yield paths and contents in the order in which they are written: the seal itself comes last."""
        chain, seq = self._chain, sealed.head.seq
        if parse_seal(sealed.content).documents:
            path = chain.sums(sealed.sums_sha256)
            yield path, partial(self._sums, path, seq)
        if sealed.signature is not None and sealed.head.sha256 is not None:
            yield chain.signature(seq, sealed.head.sha256), sealed.signature.encode
        yield chain.seal(seq), lambda: sealed.content

    def _sums(self, path: str, seq: int) -> bytes:
        sums = self._ledger.read(path)
        if sums is None:
            raise PermanentError(
                f"{self._ledger.url(path)} is gone, and seal {seq} of {self._chain} names it. Restore it."
            )
        return sums

    def _create(self, path: str, content: bytes) -> None:
        found = create_in_bucket(self._bucket, path, content, overwrites=self._overwrites)
        if found is not None and path.endswith(".json"):
            self._compare(path, found, content)

    def _compare(self, path: str, in_bucket: bytes, in_ledger: bytes | None) -> None:
        if in_bucket != in_ledger:
            found = finding(Code.SEALS_OF_ANOTHER, self._bucket.url(path))
            raise PermanentError(str(found), code=found.code)


def create_in_bucket(bucket: Storage, path: str, content: bytes, *, overwrites: bool) -> bytes | None:
    """Write a file that is not there yet, and return None; else return what is there.

    `overwrites`: the bucket cannot create only, so that it is read first.
    """
    if not overwrites:
        return None if bucket.create(path, content) else bucket.read(path)
    found = bucket.read(path)
    if found is None:
        bucket.write(path, content)
    return found
