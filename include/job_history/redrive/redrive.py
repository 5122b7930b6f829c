"""Redrive of one window: its quarantine goes through the steps of a run, in place of what a source lists.

Nothing that stands is touched before the new receipt is written in one go: until then a redrive that is killed has done
nothing but deliver, and the next one, which has the same name, finds that there. What the new receipt has no use for is
deleted after it, by a note of what was taken.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime

import msgspec

from job_history.accounts.account import Account
from job_history.errors import PermanentError, TransientError
from job_history.ledger.receipt import REDRIVE, Receipt, WindowState
from job_history.ledger.receipt_store import receipt_path, save_receipt
from job_history.model.event_kind import EventKind
from job_history.model.slice import Slice
from job_history.model.window import Window
from job_history.pipeline.results import SliceOutcome
from job_history.redrive.books import items_without, receipt_with
from job_history.redrive.leftovers import Taken, delete_leftovers, delete_taken
from job_history.redrive.quarantined import records_and_conflicts
from job_history.redrive.steps import Means, go_through_the_steps
from job_history.storage import Storage

log = logging.getLogger(__name__)


class Redriven(msgspec.Struct, kw_only=True):
    """What became of a window's quarantine; `left` is what is still there, by reason."""

    user_id: int
    name: str
    kind: EventKind
    window: Window
    state: WindowState
    delivered: int = 0
    already_present: int = 0
    filtered: int = 0
    left: dict[str, int] = {}


def was_redriven(runs: list[str]) -> bool:
    """Whether the last of a receipt's runs was a redrive: if it was killed, there may be something to clear away."""
    return bool(runs) and runs[-1].startswith(REDRIVE)


def redrive(
    account: Account,
    kind: EventKind,
    window: Window,
    means: Means,
    *,
    replace: bool,
    finished_at: datetime,
    code_version: str,
) -> Redriven:
    """Deliver what is in quarantine of a closed window and can be delivered now, and bring its receipt up to date.

    `replace`: conflicts too. Raises PermanentError where there is no closed window or its account is paused, and what the
    steps raise; nothing has changed then but what is at the destination.
    """
    about = f"{kind.of(f'account {account.label}')}, window {window}"
    content = means.ledger.read(receipt_path(account.user_id, kind, window))
    receipt = _closed(content, account, about)
    slice_ = _slice(account, kind, window, f"{REDRIVE}{hashlib.sha256(content or b'').hexdigest()[:12]}")
    _end_what_was_killed(receipt, slice_, means)
    taken = _to_take(receipt, account, about, means, replace=replace)
    if not taken:
        return _redriven(receipt, [])
    Taken.of(means.ledger, [*taken, *receipt.items]).save(means.staging, slice_)
    outcomes = go_through_the_steps(slice_, account, receipt, taken, means)
    made = receipt_with(receipt, outcomes, taken, run=slice_.run, finished_at=finished_at, code_version=code_version)
    if made.counts.quarantined == receipt.counts.quarantined:
        _take_back(outcomes, means.ledger)
        made, outcomes = receipt, []
    else:
        made.items = [*items_without(means.ledger, receipt, taken, slice_), *made.items]
        if means.ledger.read(receipt_path(account.user_id, kind, window)) != content:
            raise TransientError(f"Of {about}, a run has written the receipt meanwhile. Redrive it again.")
        save_receipt(means.ledger, made)
    delete_taken(means.ledger, means.staging, slice_, made)
    return _redriven(made, outcomes)


def _closed(content: bytes | None, account: Account, about: str) -> Receipt:
    receipt = None if content is None else msgspec.json.decode(content, type=Receipt)
    if receipt is None or not receipt.state.closed:
        stands = "there is no receipt" if receipt is None else f"the receipt says {receipt.state}"
        raise PermanentError(f"Of {about}, {stands}: only a closed window can be redriven. Run it first.")
    if not account.enabled:
        raise PermanentError(f"Of {about}, nothing is delivered, because the account is paused. Enable it first.")
    return receipt


def _slice(account: Account, kind: EventKind, window: Window, run: str) -> Slice:
    return Slice(
        run=run,
        user_id=account.user_id,
        name=account.name,
        kind=kind,
        window=window,
        part=window,
        redriven=True,
    )


def _end_what_was_killed(receipt: Receipt, slice_: Slice, means: Means) -> None:
    for entry in receipt.runs:
        if entry.run.startswith(REDRIVE):
            delete_taken(means.ledger, means.staging, msgspec.structs.replace(slice_, run=entry.run), receipt)
    delete_leftovers(means.ledger, slice_, receipt)


def _to_take(receipt: Receipt, account: Account, about: str, means: Means, *, replace: bool) -> list[str]:
    records, conflicts = records_and_conflicts(receipt.quarantine)
    if not conflicts or not replace:
        return records
    policies = [means.redaction.policy] if means.redaction else []
    if (receipt.settings_hash, receipt.redaction) != (account.settings_hash, policies):
        # They were kept as documents, made by the settings of then: perhaps with what must no longer leave.
        log.warning(
            "Of %s, conflicts stay: the account's settings have changed since. Run the window with mode repair.", about
        )
        return records
    return records + conflicts


def _take_back(outcomes: list[SliceOutcome], ledger: Storage) -> None:
    """Nothing came out of quarantine, so nothing is to be told anew."""
    for path in [path for outcome in outcomes for path in (outcome.items_path, *outcome.quarantine_paths)]:
        ledger.delete(path)


def _redriven(receipt: Receipt, outcomes: list[SliceOutcome]) -> Redriven:
    return Redriven(
        user_id=receipt.user_id,
        name=receipt.name,
        kind=receipt.kind,
        window=receipt.window,
        state=receipt.state,
        delivered=sum(outcome.delivered for outcome in outcomes),
        already_present=sum(outcome.already_present for outcome in outcomes),
        filtered=sum(outcome.filtered for outcome in outcomes),
        left=receipt.counts.quarantined,
    )
