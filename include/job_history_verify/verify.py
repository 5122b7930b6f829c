"""Verifies an archive: its chains, then its hours, then its documents."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from job_history_verify.allowed_signers import AllowedSigners
from job_history_verify.archive import Archive, Folder, reason_of
from job_history_verify.chain import Chain, ChainReader, Signer
from job_history_verify.documents import SealedDocuments, sealed_documents
from job_history_verify.ed25519 import NoToolError, signature_check
from job_history_verify.expected_head import ExpectedHead
from job_history_verify.findings import Finding, Findings
from job_history_verify.hours import judge_hours, judge_receipts
from job_history_verify.judge import Judge, Range
from job_history_verify.layout import CONTROL, RECEIPTS, SEALS, ChainId
from job_history_verify.moments import parse_moment
from job_history_verify.parallel import Digest, in_another_process
from job_history_verify.proof import ProofError
from job_history_verify.seal import Place
from job_history_verify.seal_files import chain_ids
from job_history_verify.verdicts import Verdict

LEDGER = "none"
"""As `place`: the archive is a ledger, which has receipts and no documents."""


class Options(NamedTuple):
    """`keys` None: signatures are not checked. `accounts` empty: all. `place`: where the documents should be, as
    `s3://bucket/prefix`, for the chains that name it, or LEDGER; else it is what the newest seal of each chain names.
    """

    keys: AllowedSigners | None
    accounts: frozenset[int] = frozenset()
    hours: Range = Range()
    expected_heads: Sequence[ExpectedHead] = ()
    place: str | None = None
    signature_tool: str | None = None


class Verification:
    """`chains` is filled by reading; each chain's head can be noted by a witness."""

    def __init__(self, archive: Archive, options: Options, findings: Findings) -> None:
        self.chains: list[Chain] = []
        self._archive = archive
        self._options = options
        self._findings = findings
        self._places: dict[Place, int] = {}

    def verify(self) -> None:
        """Verify all. What cannot be checked is a finding."""
        with self._reading_documents() as found, sealed_documents() as documents:
            if self._read_chains(documents):
                self._judge_hours()
                with self._could_not_check():
                    self._judge(documents, found())
        if self._options.keys is None and any(chain.signed for chain in self.chains):
            self._cannot("the seals are signed: give the keys that you trust, an allowed_signers file, with --keys")
        self._findings.flush()

    def sums(self) -> Iterator[tuple[str, str]]:
        """Yield SHA-256 and key of each document that should be at the place, as the deciding line has it."""
        with sealed_documents() as documents:
            if self._read_chains(documents):
                places, wanted = self._places_by_number(), self._wanted()
                for one in documents.deciding(wanted):
                    is_file = one.place == wanted[one.chain] and places[one.place].keeps_objects
                    is_asked_for = parse_moment(one.window) in self._options.hours
                    if is_file and is_asked_for and one.left_out != Verdict.ERASED.value:
                        yield one.sha256.decode(), one.key.decode()
        self._findings.flush()

    def _read_chains(self, documents: SealedDocuments) -> bool:
        try:
            with self._signer() as signer:
                reader = ChainReader(
                    self._archive,
                    signer,
                    documents,
                    self._places,
                    self._findings,
                    start_may_be_cut_off=self._options.hours.since is not None,
                )
                for chain_id in chain_ids(self._archive, SEALS, self._options.accounts):
                    chain = Chain(chain_id, len(self.chains))
                    self.chains.append(chain)
                    try:
                        reader.read(chain)
                    except OSError as error:
                        chain.fault = Verdict.COULD_NOT_CHECK
                        self._cannot(reason_of(error), chain_id)
                    if not chain.seals and chain.fault is None:
                        # A folder without a seal is no chain: its documents are as those of an account without seals.
                        self.chains.pop()
        except (OSError, NoToolError) as error:
            self._cannot(reason_of(error))
            return False
        missing = self._options.accounts - {chain.id.user_id for chain in self.chains}
        for user_id in sorted(missing):
            self._cannot(f"account {user_id} has no seals here")
        if not self.chains and not missing:
            self._cannot(
                f"{self._archive.name} has no seals: nothing is below {SEALS}/. Give the folder that _control/ is in; "
                "with a destination that has a prefix, that is the prefix's folder"
            )
        self._compare_heads()
        self._compare_place()
        return bool(self.chains)

    @contextmanager
    def _signer(self) -> Iterator[Signer]:
        if self._options.keys is None:
            yield Signer(None, None)
            return
        with signature_check(self._options.signature_tool) as (check, at_once):
            yield Signer(self._options.keys, check, at_once)

    def _judge_hours(self) -> None:
        hours = self._options.hours
        for chain in self.chains:
            judge_hours(chain, hours, self._findings)
        if self._options.place == LEDGER:
            with self._could_not_check():
                judge_receipts(self._archive, self._options.accounts, self.chains, hours, self._findings)

    def _compare_heads(self) -> None:
        by_id = {chain.id: chain for chain in self.chains}
        for head in self._options.expected_heads:
            chain = by_id.get(head.chain)
            if chain is None or chain.seq < head.seq:
                last = 0 if chain is None else chain.seq
                self._fault(chain, Verdict.CUT_OFF, head, f"the log ends at seal {last}, and had seal {head.seq}")
            elif head.seq < chain.first_seq:
                self._cannot(f"the expected seal {head.seq} is not here: the log begins at {chain.first_seq}", chain.id)
            elif chain.sha256_of(self._archive, head.seq) != head.sha256:
                self._fault(chain, Verdict.BROKEN_CHAIN, head, "the seal has other bytes than the witness noted")

    def _compare_place(self) -> None:
        wanted = self._options.place
        if wanted not in {None, LEDGER} and all(place.text != wanted for place in self._places):
            named = ", ".join(sorted(place.text for place in self._places)) or "none"
            self._cannot(f"no seal names the place {wanted}; the places that they name: {named}")

    def _fault(self, chain: Chain | None, verdict: Verdict, head: ExpectedHead, detail: str) -> None:
        if chain is not None:
            chain.fault = chain.fault or verdict
        self._findings.of_log(Finding(verdict, detail, head.chain, head.seq))

    @contextmanager
    def _reading_documents(self) -> Iterator[Callable[[], Iterator[Digest]]]:
        """Yield a function for the files; where that saves time, they are read while the chains are."""
        folders, without = self._folders()
        archive = self._archive
        if isinstance(archive, Folder) and self._options.hours == Range():

            def digests() -> Iterator[Digest]:
                for folder in folders:
                    yield from archive.digests_below(folder, without)

            with in_another_process(digests) as results:
                yield results
            return

        def keys() -> Iterator[Digest]:
            for folder in folders:
                yield from ((os.fsencode(key), None) for key in archive.keys(folder, without))

        yield keys

    def _folders(self) -> tuple[list[str], tuple[str, ...]]:
        """Return the folders with documents, in the order of keys, and those to leave out."""
        if not self._options.accounts:
            return [""], (CONTROL, f"{RECEIPTS}/") if self._options.place == LEDGER else (CONTROL,)
        return [folder.rstrip("/") for folder in sorted(f"{user_id}/" for user_id in self._options.accounts)], ()

    def _wanted(self) -> dict[int, int]:
        """Return by chain the number of the place that its documents should be at."""
        return {
            chain.number: self._places.get(place, -1) if (place := self._place_of(chain)) else -1
            for chain in self.chains
        }

    def _place_of(self, chain: Chain) -> Place | None:
        wanted = self._options.place
        if wanted == LEDGER:
            return None
        return next((place for place in chain.places if place.text == wanted), chain.place)

    def _places_by_number(self) -> dict[int, Place]:
        return {number: place for place, number in self._places.items()}

    def _judge(self, documents: SealedDocuments, found: Iterable[Digest]) -> None:
        wanted = self._wanted()
        judge = Judge(
            self._archive,
            chains=self.chains,
            places=self._places_by_number(),
            wanted=wanted,
            findings=self._findings,
            hours=self._options.hours,
        )
        judge.judge(documents.deciding(wanted), iter(found))

    @contextmanager
    def _could_not_check(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as error:
            self._cannot(reason_of(error))

    def _cannot(self, detail: str, chain: ChainId | None = None) -> None:
        self._findings.of_log(Finding(Verdict.COULD_NOT_CHECK, detail, chain))


def deciding_seq(archive: Archive, chain_id: ChainId, key: str) -> int | None:
    """Return the seal whose line decides a document's bytes; None if none names it.

    Raises OSError, and ProofError if none names it of those that can be read.
    """
    found: list[Finding] = []
    findings = Findings(found.append)
    with sealed_documents() as documents:
        reader = ChainReader(archive, Signer(None, None), documents, {}, findings, start_may_be_cut_off=True)
        chain = Chain(chain_id, 0)
        reader.read(chain)
        seq = documents.seq_of(key.encode())
    findings.flush()
    if seq is None and chain.fault is not None:
        fault = next(each for each in found if each.verdict is chain.fault)
        raise ProofError(f"no seal that can be read names {key}, but: {fault}")
    return seq
