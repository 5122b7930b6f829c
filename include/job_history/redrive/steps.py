"""The steps of a run, on what is in quarantine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from job_history.accounts.account import Account
from job_history.destinations import Destination
from job_history.ledger.receipt import Receipt
from job_history.model.slice import Slice
from job_history.pipeline.extract import extract
from job_history.pipeline.load import load
from job_history.pipeline.results import Extracted, SliceOutcome, Transformed
from job_history.pipeline.transform import transform
from job_history.redaction import Redaction
from job_history.redrive.conflicts import stage_conflicts
from job_history.redrive.quarantined import QuarantinedRecords, records_and_conflicts
from job_history.storage import Storage


@dataclass(frozen=True)
class Means:
    """What a redrive works with; to replace conflicts, `destination_of` must give destinations that repair.

    `redaction` is made of the account's rules; None where it has none.
    """

    ledger: Storage
    staging: Storage
    destination_of: Callable[[Slice], Destination]
    max_document_bytes: int
    redaction: Redaction | None = None


def go_through_the_steps(
    slice_: Slice, account: Account, receipt: Receipt, taken: list[str], means: Means
) -> list[SliceOutcome]:
    """Make documents of the records that were taken, and deliver them and the conflicts: in a slice each."""
    records, conflicts = records_and_conflicts(taken)
    outcomes = []
    if records:
        extracted = extract(slice_, account, QuarantinedRecords(means.ledger, records, receipt), means.staging)
        transformed = transform(
            slice_,
            account,
            extracted,
            staging=means.staging,
            ledger=means.ledger,
            max_document_bytes=means.max_document_bytes,
            redaction=means.redaction,
        )
        outcomes.append(_load(slice_, account, extracted, transformed, means))
    if conflicts:
        second = msgspec.structs.replace(slice_, number=2)
        extracted, transformed = stage_conflicts(second, receipt, conflicts, means.ledger, means.staging)
        outcomes.append(_load(second, account, extracted, transformed, means))
    return outcomes


def _load(
    slice_: Slice, account: Account, extracted: Extracted, transformed: Transformed, means: Means
) -> SliceOutcome:
    return load(
        slice_,
        account,
        extracted=extracted,
        transformed=transformed,
        destination=means.destination_of(slice_),
        staging=means.staging,
        ledger=means.ledger,
    )
