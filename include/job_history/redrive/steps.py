"""The steps of a run, with what is in quarantine as their source."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from job_history.accounts.account import Account
from job_history.destinations import Destination
from job_history.ledger.receipt import Receipt
from job_history.model.slice import Slice
from job_history.pipeline.results import SliceOutcome
from job_history.pipeline.run_slice import SliceTools, load_slice, run_slice
from job_history.redrive.conflicts import stage_conflicts
from job_history.redrive.quarantined import QuarantinedRecords, records_and_conflicts

DestinationOf = Callable[[Slice], Destination]
"""Returns where a slice goes; for a redrive that replaces conflicts, it must return destinations that repair."""


def run_the_steps(
    slice_: Slice,
    account: Account,
    receipt: Receipt,
    taken: list[str],
    *,
    destination_of: DestinationOf,
    tools: SliceTools,
) -> list[SliceOutcome]:
    """Make documents of the records in the files `taken`, and deliver them and the conflicts, in one slice each."""
    records, conflicts = records_and_conflicts(taken)
    outcomes = []
    if records:
        source = QuarantinedRecords(tools.ledger, records, receipt)
        outcomes.append(run_slice(slice_, account, source, destination_of(slice_), tools))
    if conflicts:
        second = msgspec.structs.replace(slice_, number=2)
        documents = stage_conflicts(second, receipt, conflicts, tools.ledger, tools.staging)
        outcomes.append(load_slice(second, account, documents, destination_of(second), tools))
    return outcomes
