"""Every finding that there is: its severity, its cause, and the sentence that says what to do.

docs/operations.md shows this list (`python -m job_history.errors.catalogue` writes it). The errors of destinations and
sources take their advice from it too.
"""

from __future__ import annotations

import sys
from collections import defaultdict

from job_history.errors import ReplicationError, TransientError
from job_history.errors.code import Code
from job_history.errors.destination_findings import DESTINATION_FINDINGS
from job_history.errors.entry import ERROR, TRANSIENT, Entry
from job_history.errors.finding import Finding
from job_history.errors.source_findings import SOURCE_FINDINGS

CATALOGUE: dict[Code, Entry] = {
    Code.CONNECTION_UNUSABLE: Entry(
        ERROR, "the connection cannot be used: {detail}", "Correct the connection (Admin > Connections) or the account."
    ),
    Code.CHECK_BROKE: Entry(
        TRANSIENT,
        "the check failed ({detail}), so it found out nothing",
        "Look at the log. The load task shows whether the destination works.",
    ),
    **DESTINATION_FINDINGS,
    **SOURCE_FINDINGS,
}


def finding(code: Code, about: str, **facts: object) -> Finding:
    """Make a finding. `about`: where it happened, in words that begin a sentence; `facts` fill the entry's cause."""
    entry = CATALOGUE[code]
    cause = entry.cause.format_map({name: str(fact).rstrip(".") for name, fact in facts.items()})
    return Finding(code=code, severity=entry.severity, cause=f"{about}: {cause}.", fix=entry.fix)


def finding_from_error(fault: ReplicationError, about: str) -> Finding:
    """Make a finding of an error that has a code, or of one from the way to the check, which has none."""
    uncoded = Code.CHECK_BROKE if isinstance(fault, TransientError) else Code.CONNECTION_UNUSABLE
    return finding(fault.code or uncoded, about, detail=fault.detail)


def fix_of(code: Code) -> str:
    return CATALOGUE[code].fix


def catalogue_table() -> str:
    """Return the list as docs/operations.md has it; `...` stands for what differs from case to case."""
    heading = "| code | severity | cause | fix |\n|---|---|---|---|\n"
    anything: dict[str, str] = defaultdict(lambda: "...")
    return heading + "".join(
        f"| `{code}` | {entry.severity} | {entry.cause.format_map(anything)} | {entry.fix} |\n"
        for code, entry in CATALOGUE.items()
    )


if __name__ == "__main__":
    sys.stdout.write(catalogue_table())
