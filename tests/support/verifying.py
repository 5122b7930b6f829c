"""Runs the verifier in this process, and collects what it found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from job_history_verify.allowed_signers import AllowedSigners
from job_history_verify.archive import Folder
from job_history_verify.expected_head import parse_head
from job_history_verify.findings import Finding, Findings
from job_history_verify.judge import Range
from job_history_verify.verify import Options, Verification


@dataclass(frozen=True)
class Verified:
    """`verdicts`: of the findings; `documents` and `hours`: how many by verdict."""

    code: int
    findings: list[Finding]
    documents: dict[str, int]
    hours: dict[str, int]
    heads: list[str]

    @property
    def verdicts(self) -> set[str]:
        return {finding.verdict.value for finding in self.findings}


def verified(
    folder: Path,
    keys: AllowedSigners | None,
    *,
    accounts: Iterable[int] = (),
    heads: Iterable[str] = (),
    since: datetime | None = None,
    until: datetime | None = None,
    place: str | None = None,
    strict: bool = False,
    allow_unsigned: bool = False,
    signature_tool: str | None = None,
) -> Verified:
    found: list[Finding] = []
    findings = Findings(found.append)
    options = Options(
        keys=keys,
        accounts=frozenset(accounts),
        hours=Range(since, until),
        expected_heads=[parse_head(head) for head in heads],
        place=place,
        signature_tool=signature_tool,
    )
    verification = Verification(Folder(str(folder)), options, findings)
    verification.verify()
    code = findings.exit_code(strict=strict, allow_unsigned=allow_unsigned)
    return Verified(
        code,
        found,
        {verdict.value: number for verdict, number in findings.documents.items()},
        {verdict.value: number for verdict, number in findings.windows.items()},
        [chain.head for chain in verification.chains],
    )
