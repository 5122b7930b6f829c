"""Appends seals to one chain in the ledger. Create-only decides between two writers; nothing is overwritten."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from job_history.errors import PermanentError
from job_history.seals.signer import Signer
from job_history.storage import Storage
from job_history_verify.layout import ChainId, seq_of_seal
from job_history_verify.seal import NewerFormatError, Seal, parse_seal


class Head(NamedTuple):
    """The newest seal of a chain; seq 0 before the first."""

    seq: int = 0
    sha256: str | None = None


class Sealed(NamedTuple):
    """A seal that is in the ledger. `content`: its bytes; `signature`: the text of its signature's file."""

    head: Head
    content: bytes
    signature: str | None
    sums_sha256: str


class SealedRevision(NamedTuple):
    """What a seal is about: a window, and the SHA-256 of the revision of its receipt."""

    window: tuple[datetime, datetime]
    receipt_sha256: str


class ChainWriter:
    """Writes one chain. `head` is followed as others append to it; `written` are the seals of this writer.

    Another writer may have sealed a revision and not have marked it yet, so all that was followed is remembered.
    """

    def __init__(
        self, ledger: Storage, chain: ChainId, signer: Signer | None, head: Head, sealed_at: datetime | None = None
    ) -> None:
        """`head`: a seal that the chain has; those after it are followed. `sealed_at`: of the newest seal known."""
        self.chain = chain
        self._ledger = ledger
        self._signer = signer
        self.head = head
        self.sealed_at = sealed_at
        self.written: list[Sealed] = []
        self._of_others: dict[SealedRevision, Head] = {}

    def append(
        self,
        make: Callable[[Head, datetime | None], bytes],
        revision: SealedRevision,
        *,
        sums_sha256: str,
        packed_sums: bytes | None,
    ) -> Head:
        """Append a seal, and return it; or the one that another writer has appended for this revision meanwhile.

        `make` returns the bytes of the seal after a head; it gets the time of that head, too. Raises PermanentError or
        TransientError: nothing is appended, or it is not known. What is left of a failure are sums and a signature that
        no seal needs.
        """
        if packed_sums is not None:
            self._ledger.create(self.chain.sums(sums_sha256), packed_sums)
        while revision not in self._of_others:
            content = make(self.head, self.sealed_at)
            head = Head(self.head.seq + 1, hashlib.sha256(content).hexdigest())
            signature = self._signed(head, content)
            if self._ledger.create(self.chain.seal(head.seq), content):
                self.head = head
                self.written.append(Sealed(head, content, signature, sums_sha256))
                return head
            self._follow()
        return self._of_others[revision]

    def _signed(self, head: Head, content: bytes) -> str | None:
        if self._signer is None or head.sha256 is None:
            return None
        signature = self._signer.sign(content)
        # The name has the seal's hash: a signature that a killed writer left has another name.
        self._ledger.create(self.chain.signature(head.seq, head.sha256), signature.encode())
        return signature

    def _follow(self) -> None:
        """Read what others appended, up to the end."""
        while (content := self._ledger.read(self.chain.seal(self.head.seq + 1))) is not None:
            self.head = Head(self.head.seq + 1, hashlib.sha256(content).hexdigest())
            seal = read_seal(content, self._ledger.url(self.chain.seal(self.head.seq)))
            refuse_unsigned(self.chain, content, self._signer)
            self.sealed_at = max(seal.sealed_at, self.sealed_at or seal.sealed_at)
            about = SealedRevision((seal.window.start, seal.window.end), seal.receipt_sha256)
            self._of_others.setdefault(about, self.head)


def find_head(ledger: Storage, chain: ChainId) -> Head:
    """Return the head of a chain by listing it: one request for a thousand files."""
    return head_at(ledger, chain, max(seqs_below(ledger, chain), default=0))


def seqs_below(storage: Storage, chain: ChainId) -> list[int]:
    """List the numbers of a chain's seals, in their order."""
    seqs = (seq_of_seal(path[len(chain.folder) + 1 :]) for path in storage.paths(chain.folder))
    return sorted(seq for seq in seqs if seq is not None)


def seal_of(storage: Storage, chain: ChainId, head: Head) -> bytes | None:
    """Read a seal; None if there is none with this number and these bytes."""
    content = storage.read(chain.seal(head.seq))
    return content if content is not None and hashlib.sha256(content).hexdigest() == head.sha256 else None


def refuse_unsigned(chain: ChainId, newest: bytes | None, signer: Signer | None) -> None:
    """Raise PermanentError if the newest seal of a chain is signed, and nothing signs the next one."""
    if signer is None and newest is not None and read_seal(newest, f"The newest seal of {chain}").key is not None:
        raise PermanentError(
            f"the newest seal of {chain} is signed, and [job_history] signing_conn_id is empty: a seal without a "
            "signature would be taken for a forged one. Set it again."
        )


def head_at(ledger: Storage, chain: ChainId, seq: int) -> Head:
    content = ledger.read(chain.seal(seq)) if seq else None
    if content is None:
        return Head()
    return Head(seq, hashlib.sha256(content).hexdigest())


def sealed_at(ledger: Storage, chain: ChainId, seq: int) -> Sealed:
    """Read a seal of the ledger with its signature. Raises PermanentError if it is not there."""
    path = chain.seal(seq)
    content = ledger.read(path)
    if content is None:
        raise PermanentError(f"{ledger.url(path)} is gone, and a later seal names it. Restore it.")
    sha256 = hashlib.sha256(content).hexdigest()
    seal = read_seal(content, ledger.url(path))
    signature = ledger.read(chain.signature(seq, sha256)) if seal.key else None
    text = None if signature is None else signature.decode()
    return Sealed(Head(seq, sha256), content, text, seal.sums_sha256)


def read_seal(content: bytes, where: str) -> Seal:
    """Read a seal of ours. Raises PermanentError, which names the file."""
    try:
        return parse_seal(content)
    except (ValueError, NewerFormatError) as error:
        raise PermanentError(f"{where} is not a seal that this release can read: {error}.") from error
