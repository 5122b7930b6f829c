"""The copy of a chain in the account's own bucket: in the order of seq, from the last one that is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from job_history.errors import PermanentError
from job_history.errors.catalogue import finding
from job_history.errors.code import Code
from job_history.seals.chain_writer import Head, Sealed, sealed_at
from job_history.storage import Storage
from job_history_verify.layout import ChainId, seq_of_seal
from job_history_verify.seal import parse_seal


class CopiedChain:
    """Copies one chain. `copied`: the highest seq that was copied before, 0 if none is known to be.

    `bucket` begins below the destination's prefix. `overwrites`: it cannot create only, so that it is read first.
    """

    def __init__(self, ledger: Storage, bucket: Storage, chain: ChainId, *, copied: int, overwrites: bool) -> None:
        self._ledger = ledger
        self._bucket = bucket
        self._chain = chain
        self._overwrites = overwrites
        self.copied = copied
        self.cut: str | None = None

    def copy(self, head: Head, written: Iterable[Sealed]) -> None:
        """Copy what is missing up to the head; `written` are seals that need not be read again.

        `cut` is then a message with code SEALS_CUT if seals had been removed from the bucket. Raises PermanentError
        with code SEALS_OF_ANOTHER if another seal is under a number, and what bucket and ledger raise.
        """
        self._find_last()
        known = {sealed.head.seq: sealed for sealed in written}
        for seq in range(self.copied + 1, head.seq + 1):
            sealed = known.get(seq) or sealed_at(self._ledger, self._chain, seq)
            for path, content in self._files(sealed):
                self._create(path, content)
            self.copied = seq

    def _find_last(self) -> None:
        """Set `copied` to the last seal that is in the bucket, and compare it with the ledger's."""
        before = self.copied
        path = self._chain.seal(before or 1)
        content = self._bucket.read(path)
        if content is not None:
            self._compare(path, content, self._ledger.read(path))
        if before and content is not None:
            return
        seqs = sorted(
            seq for path in self._bucket.paths(self._chain.folder) if (seq := seq_of_seal(path.rpartition("/")[2]))
        )
        # Up to the first one that is missing.
        self.copied = next((place for place, seq in enumerate(seqs) if seq != place + 1), len(seqs))
        if self.copied < before:
            about = self._bucket.url(self._chain.folder)
            self.cut = str(finding(Code.SEALS_CUT, about, before=before, now=self.copied))

    def _files(self, sealed: Sealed) -> Iterator[tuple[str, bytes]]:
        """Yield paths and contents in the order in which they are written: the seal itself comes last."""
        chain, seq = self._chain, sealed.head.seq
        if parse_seal(sealed.content).documents:
            path = chain.sums(sealed.sums_sha256)
            sums = self._ledger.read(path)
            if sums is None:
                raise PermanentError(
                    f"{self._ledger.url(path)} is gone, and seal {seq} of {chain} names it. Restore it."
                )
            yield path, sums
        if sealed.signature is not None and sealed.head.sha256 is not None:
            yield chain.signature(seq, sealed.head.sha256), sealed.signature.encode()
        yield chain.seal(seq), sealed.content

    def _create(self, path: str, content: bytes) -> None:
        if self._overwrites:
            found = self._bucket.read(path)
            if found is None:
                self._bucket.write(path, content)
        elif self._bucket.create(path, content):
            return
        else:
            found = self._bucket.read(path)
        if found is not None and path.endswith(".json"):
            self._compare(path, found, content)

    def _compare(self, path: str, in_bucket: bytes, in_ledger: bytes | None) -> None:
        if in_bucket != in_ledger:
            found = finding(Code.SEALS_OF_ANOTHER, self._bucket.url(path))
            raise PermanentError(str(found), code=found.code)
