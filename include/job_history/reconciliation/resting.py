"""Open windows that no reconciliation runs: their account is paused or no longer in the Variable."""

from __future__ import annotations

from collections import Counter

from job_history.accounts.variable import Accounts
from job_history.ledger.open_windows import OpenWindow, OpenWindows


def resting_windows(accounts: Accounts, marks: OpenWindows) -> dict[str, int]:
    """Return the number of these windows by account, with the reason: `77 Umbrella (paused)`.

    Windows of an account whose entry cannot be used are not among them: that is a problem of its own.
    """
    counts = Counter(label for mark in sorted(marks.windows) if (label := _label_if_resting(accounts, mark)))
    return dict(counts)


def _label_if_resting(accounts: Accounts, mark: OpenWindow) -> str | None:
    account = accounts.usable.get(mark.user_id)
    if account is None:
        is_unusable = any(problem.user_id == str(mark.user_id) for problem in accounts.problems)
        return None if is_unusable else f"{mark.kind.of(f'account {mark.user_id}')}, no longer in the Variable,"
    label = f"account {mark.kind.of(account.label)}"
    if not account.enabled:
        return f"{label}, paused,"
    return None if mark.kind in account.events.kinds else f"{label}, switched off,"
