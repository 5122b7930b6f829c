"""Verifies one account: its bucket by the offline verifier, and what only the ledger knows of its seals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from job_history.destinations.kind import DocumentStore
from job_history.model.event_kind import EventKind
from job_history.seals.archive import StorageArchive
from job_history.seals.chain_writer import find_head
from job_history.storage import Storage
from job_history_verify.chain import Chain
from job_history_verify.expected_head import ExpectedHead
from job_history_verify.findings import Finding, Findings
from job_history_verify.hours import judge_receipts
from job_history_verify.layout import ChainId
from job_history_verify.verdicts import Verdict
from job_history_verify.verify import LEDGER, Options, Verification


@dataclass
class AccountVerified:
    """What was found of an account. `heads`: of its chains, as `--expect-head` takes them."""

    found: list[Finding] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.findings = Findings(self.found.append)


def verify_account(user_id: int, store: DocumentStore | None, ledger: Storage, options: Options) -> AccountVerified:
    """Verify an account's bucket; without one its seals in the ledger. Raises what the ledger raises.

    The ledger knows where the log of a bucket ends. Its receipts are held against the seals, in both directions.
    """
    answer = AccountVerified()
    options = options._replace(accounts=frozenset([user_id]))
    if store is None:
        verification = Verification(StorageArchive(ledger), options._replace(place=LEDGER), answer.findings)
    else:
        heads = [*options.expected_heads, *_heads_of(ledger, user_id)]
        options = options._replace(expected_heads=heads)
        verification = Verification(StorageArchive(store.storage), options, answer.findings)
    verification.verify()
    if store is not None and all(finding.verdict is not Verdict.CUT_OFF for finding in answer.found):
        _judge_receipts(ledger, user_id, verification.chains, options, answer.findings)
    answer.heads = [chain.head for chain in verification.chains]
    return answer


def _heads_of(ledger: Storage, user_id: int) -> Sequence[ExpectedHead]:
    chains = [ChainId(user_id, str(kind)) for kind in EventKind]
    heads = [(chain, find_head(ledger, chain)) for chain in chains]
    return [ExpectedHead(chain, head.seq, head.sha256) for chain, head in heads if head.sha256 is not None]


def _judge_receipts(ledger: Storage, user_id: int, chains: list[Chain], options: Options, findings: Findings) -> None:
    """Hold the ledger's receipts against the seals of a bucket's log, which is whole."""
    try:
        judge_receipts(StorageArchive(ledger), frozenset([user_id]), chains, options.hours, findings)
    except OSError as error:
        findings.of_log(Finding(Verdict.COULD_NOT_CHECK, f"the receipts: {error}"))
    findings.flush()
