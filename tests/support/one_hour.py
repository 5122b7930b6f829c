"""One hour of one account, replicated without a scheduler: the steps of a run and its receipt."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.unit.samples import HOUR, slice_of

from job_history.accounts.account import Account
from job_history.destinations import Destination
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_store import add_revision
from job_history.model.event_kind import EventKind
from job_history.pipeline.make_receipt import make_receipt
from job_history.pipeline.results import PlannedWindow
from job_history.pipeline.run_slice import SliceTools, run_slice
from job_history.sources import Source
from job_history.storage import Storage


def replicate(
    account: Account,
    source: Source[Any],
    destination: Destination,
    ledger: Storage,
    staging: Storage,
    *,
    kind: EventKind = EventKind.JOBS,
) -> Receipt:
    """Replicate the hour of the samples, and return its receipt."""
    slice_ = slice_of(user_id=account.user_id, kind=kind)
    outcome = run_slice(slice_, account, source, destination, SliceTools(staging, ledger, 40_000_000))
    staging.delete_below(f"runs/{slice_.run}")
    planned = PlannedWindow(
        user_id=account.user_id,
        name=account.name,
        kind=kind,
        window=HOUR,
        enabled=True,
        counted=outcome.extracted.counted,
        slices=[slice_],
        settings_hash=account.settings_hash,
        destination={},
    )
    finished_at = HOUR.end + timedelta(minutes=15)
    return add_revision(
        ledger, make_receipt(planned, [outcome], [], run=slice_.run, finished_at=finished_at, code_version="0.1.0")
    )
