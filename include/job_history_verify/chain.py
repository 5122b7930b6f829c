"""Reads one chain of seals: its links, its signatures, its sums; the newest seal of each window."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from job_history_verify.allowed_signers import AllowedSigners
from job_history_verify.archive import Archive
from job_history_verify.documents import SealedDocuments
from job_history_verify.ed25519 import SignatureCheck
from job_history_verify.findings import Finding, Findings
from job_history_verify.layout import ChainId
from job_history_verify.moments import HOUR, moment_text
from job_history_verify.parallel import in_order
from job_history_verify.seal import ERASURE, NewerFormatError, Place, Seal, WindowOfSeal, parse_seal
from job_history_verify.seal_files import SealFile, seal_files
from job_history_verify.signatures import verdict_of_signature
from job_history_verify.sums import Line, SumsError, read_sums
from job_history_verify.verdicts import Verdict

MAX_CLOCK_ERROR = timedelta(minutes=5)


class Signer(NamedTuple):
    """How signatures are checked: by which keys, with what, and how many at once. `keys` None: not at all."""

    keys: AllowedSigners | None
    check: SignatureCheck | None
    at_once: int = 1


class WindowSeal(NamedTuple):
    """The newest seal of a window."""

    seq: int
    state: str
    revision: int


class SealedReceipt(NamedTuple):
    """The receipt of a revision, as its newest seal names it."""

    seq: int
    sha256: str


@dataclass
class Chain:
    """What was read. `fault`: the first thing wrong with the log as a whole; no document is proven by it then, because
    what is lost could name other bytes. `untrusted`: seals that prove nothing by themselves. `places`: all that its
    seals name; `place`: the newest one's. `receipts`: by window and revision.
    """

    id: ChainId
    number: int
    first_seq: int = 0
    seq: int = 0
    sha256: str | None = None
    sealed_at: datetime | None = None
    place: Place | None = None
    places: set[Place] = field(default_factory=set)
    seals: int = 0
    signed: int = 0
    fault: Verdict | None = None
    untrusted: dict[int, Verdict] = field(default_factory=dict)
    windows: dict[WindowOfSeal, WindowSeal] = field(default_factory=dict)
    receipts: dict[tuple[WindowOfSeal, int], SealedReceipt] = field(default_factory=dict)

    def window_at(self, start: datetime) -> WindowOfSeal | None:
        """Return the sealed window that begins then."""
        window = WindowOfSeal(start, start + HOUR)
        return window if window in self.windows else None

    @property
    def head(self) -> str:
        return f"{self.id}/{self.seq}:{self.sha256}"

    def sha256_of(self, archive: Archive, seq: int) -> str | None:
        """Return the SHA-256 of one of its seals; None if it is not there."""
        content = archive.read(self.id.seal(seq))
        return None if content is None else hashlib.sha256(content).hexdigest()

    def verdict_of(self, seq: int) -> Verdict:
        """Return what a document is whose bytes are as this seal names them."""
        return self.fault or self.untrusted.get(seq, Verdict.PROVEN)


class ChainReader:
    """Reads chains of an archive. `places`: a number for each place, shared by all chains."""

    def __init__(
        self,
        archive: Archive,
        signer: Signer,
        documents: SealedDocuments,
        places: dict[Place, int],
        findings: Findings,
        *,
        start_may_be_cut_off: bool,
    ) -> None:
        self._archive = archive
        self._signer = signer
        self._documents = documents
        self._places = places
        self._findings = findings
        self._start_may_be_cut_off = start_may_be_cut_off

    def read(self, chain: Chain) -> None:
        """Read a chain to its end. Raises OSError if a file cannot be read."""
        # By window and place, the last seal whose sums could be read: a later one must name the same keys.
        named: dict[tuple[WindowOfSeal, Place], int] = {}
        for file in in_order(self._with_check, seal_files(self._archive, chain.id), self._signer.at_once):
            seal = self._linked(chain, file)
            if seal is not None:
                self._judge_signature(chain, seal, file)
                self._take_sums(chain, seal, named)
                chain.place = seal.place
                chain.places.add(seal.place)
                chain.windows[seal.window] = WindowSeal(seal.seq, seal.state, seal.revision)
                chain.receipts[seal.window, seal.revision] = SealedReceipt(seal.seq, seal.receipt_sha256)

    def _with_check(self, file: SealFile) -> SealFile:
        if self._signer.check is None or file.signature is None:
            return file
        return file._replace(is_signature_good=self._signer.check(file.signature, file.content))

    def _linked(self, chain: Chain, file: SealFile) -> Seal | None:
        """Judge the links of a seal, and return it if it can be read."""
        broken = partial(self._log, chain, Verdict.BROKEN_CHAIN, file.seq)
        previous = chain.sha256
        if chain.seals == 0:
            chain.first_seq = file.seq
            if file.seq != 1 and not self._start_may_be_cut_off:
                # Each later seal can still be checked against the one before it.
                detail = f"the first seal here is {file.seq}; seals 1 to {file.seq - 1} are not here"
                self._findings.of_log(Finding(Verdict.START_CUT_OFF, detail, chain.id, file.seq))
        elif file.seq != chain.seq + 1:
            broken(f"seals {chain.seq + 1} to {file.seq - 1} are missing before it")
        is_first = chain.seals == 0
        chain.seals += 1
        chain.seq, chain.sha256 = file.seq, hashlib.sha256(file.content).hexdigest()
        try:
            seal = parse_seal(file.content)
        except NewerFormatError as error:
            self._log(chain, Verdict.COULD_NOT_CHECK, file.seq, f"{error}; use a newer release of this program")
            return None
        except ValueError as error:
            broken(f"the file is not a seal: {error}")
            return None
        if seal.chain != chain.id or seal.seq != file.seq:
            broken(f"the file holds seal {seal.seq} of {seal.chain}")
            return None
        if is_first and (seal.previous is None) != (seal.seq == 1):
            broken("only the first seal names none before it")
        if not is_first and seal.previous != previous:
            broken("the seal before it has other bytes than those that it names")
        if chain.sealed_at is not None and seal.sealed_at < chain.sealed_at - MAX_CLOCK_ERROR:
            earlier, later = moment_text(seal.sealed_at), moment_text(chain.sealed_at)
            broken(f"it was sealed at {earlier}, and one before it at {later}")
        chain.sealed_at = max(seal.sealed_at, chain.sealed_at or seal.sealed_at)
        return seal

    def _judge_signature(self, chain: Chain, seal: Seal, file: SealFile) -> None:
        if seal.key is None and not chain.signed:
            chain.untrusted[seal.seq] = Verdict.UNSIGNED
            self._findings.of_log(Finding(Verdict.UNSIGNED, "no signature", chain.id, seal.seq))
            return
        chain.signed += 1
        if self._signer.keys is None:
            return
        verdict, detail = verdict_of_signature(
            seal, file.signature, is_good=file.is_signature_good, keys=self._signer.keys
        )
        if verdict is not None:
            chain.untrusted[seal.seq] = verdict
            self._findings.of_log(Finding(verdict, detail, chain.id, seal.seq))

    def _take_sums(self, chain: Chain, seal: Seal, named: dict[tuple[WindowOfSeal, Place], int]) -> None:
        where = (seal.window, seal.place)
        place = self._places.setdefault(seal.place, len(self._places))
        window = moment_text(seal.window.start)
        try:
            with self._documents.of_seal(), self._archive.opened(chain.id.sums(seal.sums_sha256)) as file:
                lines = read_sums(file, seal)
                if where in named:
                    self._documents.begin_again(self._lines_again(chain.id, named[where]))
                    lines = self._documents.named_again(lines)
                self._documents.add(lines, chain=chain.number, seq=seal.seq, window=window, place=place)
        except SumsError as error:
            self._log(chain, Verdict.SUMS_DIFFER, seal.seq, str(error))
            return
        if where in named:
            verdict = Verdict.ERASED if seal.reason == ERASURE else Verdict.DROPPED
            for key in self._documents.leave_out(place=place, because=verdict.value):
                if verdict is Verdict.DROPPED:
                    detail = f"seal {named[where]} of the window names it, and this one does not"
                    self._findings.of_log(Finding(verdict, detail, chain.id, seal.seq, start=window, key=key.decode()))
        named[where] = seal.seq

    def _lines_again(self, chain: ChainId, seq: int) -> Iterator[Line]:
        seal = parse_seal(self._archive.read(chain.seal(seq)) or b"")
        with self._archive.opened(chain.sums(seal.sums_sha256)) as file:
            yield from read_sums(file, seal)

    def _log(self, chain: Chain, verdict: Verdict, seq: int, detail: str) -> None:
        chain.fault = chain.fault or verdict
        self._findings.of_log(Finding(verdict, detail, chain.id, seq))
