"""Redrive of one window: its quarantine goes through the steps of a run, in place of what a source lists.

No existing file is changed before the new revision of the receipt is created. A redrive that is killed before has only
delivered; the next one has the same name and finds those documents present. Quarantine files that the new revision no
longer names stay: the reconciliation deletes old ones.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime

import msgspec

from job_history.accounts.account import Account
from job_history.errors import PermanentError
from job_history.ledger.days_to_sweep import note_windows
from job_history.ledger.receipt import REDRIVE, Receipt, WindowState
from job_history.ledger.receipt_store import add_revision, read_receipt
from job_history.model.event_kind import EventKind
from job_history.model.slice import Slice
from job_history.model.window import Window
from job_history.pipeline.results import SliceOutcome
from job_history.pipeline.run_slice import SliceTools
from job_history.redrive.books import items_without, receipt_with
from job_history.redrive.leftovers import delete_staged_files
from job_history.redrive.quarantined import records_and_conflicts
from job_history.redrive.steps import DestinationOf, run_the_steps
from job_history.seals.unsealed import UnsealedWindow
from job_history.storage import Storage

log = logging.getLogger(__name__)


class Redriven(msgspec.Struct, kw_only=True):
    """The result of a window's redrive; `left` counts what is still in quarantine, by reason."""

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
    """Return whether the last of a receipt's runs was a redrive: if it was killed, it may have left files to delete."""
    return bool(runs) and runs[-1].startswith(REDRIVE)


def redrive(
    account: Account,
    kind: EventKind,
    window: Window,
    destination_of: DestinationOf,
    tools: SliceTools,
    *,
    replace: bool,
    finished_at: datetime,
    code_version: str,
) -> Redriven:
    """Deliver what is in quarantine of a closed window and can be delivered now, and update its receipt.

    `replace`: conflicts too. Raises PermanentError if there is no closed window or its account is paused, and what the
    steps raise; then only the destination may have changed.
    """
    about = f"{kind.of(f'Account {account.label}')}, window {window}"
    receipt = _closed(read_receipt(tools.ledger, account.user_id, kind, window), account, about)
    digest = hashlib.sha256(msgspec.json.encode(receipt)).hexdigest()
    slice_ = _slice(account, kind, window, f"{REDRIVE}{digest[:12]}")
    _finish_killed_redrives(receipt, slice_, tools)
    taken = _to_take(receipt, account, about, tools, replace=replace)
    if not taken:
        return _redriven(receipt, [])
    note = note_windows(tools.ledger, [(account.user_id, kind, window)], finished_at)
    outcomes = run_the_steps(slice_, account, receipt, taken, destination_of=destination_of, tools=tools)
    made = receipt_with(receipt, outcomes, taken, run=slice_.run, finished_at=finished_at, code_version=code_version)
    if made.counts.quarantined == receipt.counts.quarantined:
        _take_back(outcomes, note, tools.ledger)
        made, outcomes = receipt, []
    else:
        made.items = [*items_without(tools.ledger, receipt, taken, slice_), *made.items, *receipt.gone_list]
        # The next report seals it. Before, so that a kill leaves a mark too many and no revision without a seal.
        UnsealedWindow.of(made).write(tools.ledger)
        made = add_revision(tools.ledger, made, only_after=receipt.revision)
    delete_staged_files(tools.staging, slice_)
    return _redriven(made, outcomes)


def _closed(receipt: Receipt | None, account: Account, about: str) -> Receipt:
    if receipt is None or not receipt.state.closed:
        found = "there is no receipt" if receipt is None else f"the receipt is {receipt.state}"
        raise PermanentError(f"{about}: {found}, and only a closed window can be redriven. Run it first.")
    if not account.enabled:
        raise PermanentError(f"{about}: nothing is delivered, because the account is paused. Enable it first.")
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


def _finish_killed_redrives(receipt: Receipt, slice_: Slice, tools: SliceTools) -> None:
    for entry in receipt.runs:
        if entry.run.startswith(REDRIVE):
            delete_staged_files(tools.staging, msgspec.structs.replace(slice_, run=entry.run))


def _to_take(receipt: Receipt, account: Account, about: str, tools: SliceTools, *, replace: bool) -> list[str]:
    records, conflicts = records_and_conflicts(receipt.quarantine)
    if not conflicts or not replace:
        return records
    policies = [tools.redaction.policy] if tools.redaction else []
    if (receipt.settings_hash, receipt.redaction) != (account.settings_hash, policies):
        # They were kept as documents, made under earlier settings: they may contain values that must no longer leave.
        log.warning(
            "%s: conflicts stay, because the account's settings have changed since. Run the window with mode repair.",
            about,
        )
        return records
    return records + conflicts


def _take_back(outcomes: list[SliceOutcome], note: str | None, ledger: Storage) -> None:
    """Nothing came out of quarantine: delete what this redrive wrote."""
    if note is not None:
        ledger.delete(note)
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
