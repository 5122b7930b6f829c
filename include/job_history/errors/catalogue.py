"""Every finding that a check can report: its severity, its cause and its fix.

docs/messages.md shows this list (`python -m job_history.errors.catalogue` prints it). The errors of destinations and
sources take their advice from it too.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from textwrap import fill

from job_history.errors import ReplicationError, TransientError
from job_history.errors.code import Code
from job_history.errors.destination_findings import DESTINATION_FINDINGS
from job_history.errors.entry import ERROR, TRANSIENT, WARNING, Entry
from job_history.errors.finding import Finding
from job_history.errors.ledger_findings import LEDGER_FINDINGS
from job_history.errors.receiver_findings import RECEIVER_FINDINGS
from job_history.errors.source_findings import SOURCE_FINDINGS
from job_history.errors.store_findings import STORE_FINDINGS

_GROUPS = {
    "LEDGER": "The ledger",
    "SEALS": "Seals",
    "SIGNING": "Seals",
    "S3": "Amazon S3",
    "STORE": "Azure Blob Storage and Google Cloud Storage",
    "SUMO_LOGIC": "Sumo Logic",
    "RECEIVER": "Splunk, Datadog and other receivers of HTTP",
    "SQL": "A job store (SQL)",
    "WORKATO": "The platform's own API",
}
_PAGE_HEAD = """\
# Messages by code

What a preflight or a failed task can report. Codes never change, so logs and receipts can be filtered by them; the
wording may. This page is generated: `.venv/bin/python -m job_history.errors.catalogue > docs/messages.md`.

- *error*: the account's windows are not run until the cause is fixed.
- *transient*: it may pass by itself; the tasks retry.
- *warning*: documents are delivered, but something needs attention.

Each cause begins with the account and the place; `...` stands for what differs, usually the other side's own words.
"""

CATALOGUE: dict[Code, Entry] = {
    Code.CONNECTION_UNUSABLE: Entry(
        ERROR, "the connection cannot be used: {detail}", "Correct the connection (Admin > Connections) or the account."
    ),
    Code.CHECK_BROKE: Entry(
        TRANSIENT,
        "the check failed ({detail}), so it found out nothing",
        "Look at the log. The load task shows whether the destination works.",
    ),
    Code.AIRFLOW_UNAVAILABLE: Entry(
        TRANSIENT,
        "it cannot be read now ({detail}), which does not mean that it is missing",
        "Do not create it again. Look at Airflow's metadata database, API server and secrets backend.",
    ),
    Code.FOLDER_OPEN_TO_OTHERS: Entry(
        WARNING,
        "other users of this machine can use it (mode {mode}); `{command}` changes that",
        "Run the command. If workers of one group share the folder, set `[job_history] shared_group`.",
    ),
    Code.STAGING_NOT_SHARED: Entry(
        ERROR,
        "this worker, {here}, does not see the files of the run, which was planned on {there}: {path} is not there",
        "Set `[job_history] staging_path` to a folder or bucket that all workers and the API server share: "
        "operations.md#several-workers. Then clear the run's `plan` and what is downstream.",
    ),
    Code.CLOCK_OFF: Entry(
        WARNING,
        "its clock is {seconds} s {direction} that of {other}; documents were delivered all the same",
        "Set the clock of that machine, and keep it synchronised (NTP).",
    ),
    **LEDGER_FINDINGS,
    **DESTINATION_FINDINGS,
    **STORE_FINDINGS,
    **RECEIVER_FINDINGS,
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
    return finding(fault.code or uncoded, about, detail=fault.detail, **fault.facts)


def fix_of(code: Code) -> str:
    return CATALOGUE[code].fix


def messages_page() -> str:
    """Return docs/messages.md: a heading per code, so that a message can link to it. `...` stands for what differs."""
    anything: dict[str, str] = defaultdict(lambda: "...")
    parts, group = [_PAGE_HEAD], ""
    for code, entry in CATALOGUE.items():
        title = next(
            (title for prefix, title in _GROUPS.items() if code.startswith(prefix)), "Any source or destination"
        )
        if title != group:
            parts.append(f"\n## {title}\n")
            group = title
        cause = f"{entry.cause.format_map(anything).removesuffix(': ...')}.".replace("....", "...")
        parts.append(f"\n### {code}\n\n{_wrapped(f'*{entry.severity}*: {cause}')}\n\n{_wrapped(entry.fix)}\n")
    return "".join(parts)


def _wrapped(text: str) -> str:
    return fill(text, 120, break_on_hyphens=False, break_long_words=False)


if __name__ == "__main__":
    sys.stdout.write(messages_page())
