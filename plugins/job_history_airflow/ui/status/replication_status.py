"""The data of the status pages: accounts from the Variable, everything else from the ledger's receipts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from job_history.accounts.account import Account
from job_history.accounts.variable import Accounts, read_accounts
from job_history.errors import PermanentError
from job_history.inspection.status import WindowStatus, statuses
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.seals.unsealed import unsealed_of
from job_history.storage import Storage
from job_history_airflow.accounts_variable import read_stored
from job_history_airflow.factories.storage import storage_at
from job_history_airflow.settings import read_settings
from job_history_airflow.ui.status.overview import AccountRow, Overview, overview_of
from job_history_airflow.ui.status.period import Period

# A day of a thousand accounts is read in a second, a month in a minute: so a page by days reads only its own accounts.
ROWS_A_PAGE = 250
ROWS_A_PAGE_BY_DAY = 50


@dataclass(frozen=True)
class Page:
    """A page of the requested accounts, with their overview, and a sentence for each entry that cannot be used.

    `unsealed`: windows of the requested accounts that wait for a seal, at any time.
    """

    number: int
    of: int
    accounts: int
    overview: Overview
    rows: list[AccountRow]
    problems: list[str]
    unsealed: int


def status_page(session: Session, period: Period, *, search: str, incomplete_only: bool, number: int) -> Page:
    """Make one page. By hours, the overview covers all requested accounts; by days, only the accounts of this page.

    Raises ReplicationError if the ledger cannot be read.
    """
    accounts, problems = _accounts(session)
    wanted = [account for account in accounts if _fits(account, search)]
    unsealed = len(unsealed_of(ledger(), [account.user_id for account in wanted]))
    rows_a_page = ROWS_A_PAGE_BY_DAY if period.by_day else ROWS_A_PAGE
    if period.by_day:
        shown = wanted[(number - 1) * rows_a_page : number * rows_a_page]
        overview = overview_of(_statuses(shown, period.window), period.window, by_day=True)
        rows = [row for row in overview.rows if row.needs_run or not incomplete_only]
        return Page(number, _pages(len(wanted), rows_a_page), len(wanted), overview, rows, problems, unsealed)
    overview = overview_of(_statuses(wanted, period.window), period.window, by_day=False)
    rows = [row for row in overview.rows if row.needs_run or not incomplete_only]
    shown_rows = rows[(number - 1) * rows_a_page : number * rows_a_page]
    return Page(number, _pages(len(rows), rows_a_page), len(wanted), overview, shown_rows, problems, unsealed)


def hours_of(session: Session, user_id: int, kind: EventKind, window: Window) -> list[WindowStatus]:
    """Return the states of an account's hours; an account that is no longer set up has none."""
    accounts, _ = _accounts(session)
    of_account = [account for account in accounts if account.user_id == user_id]
    return [hour for hour in _statuses(of_account, window) if hour.kind is kind]


def ledger() -> Storage:
    """Return the ledger. Raises PermanentError if the config names none that exists."""
    return storage_at(read_settings().ledger_path)


def _statuses(accounts: list[Account], window: Window) -> list[WindowStatus]:
    return list(statuses(ledger(), accounts, window, datetime.now(UTC), read_settings().settle))


def _accounts(session: Session) -> tuple[list[Account], list[str]]:
    try:
        read: Accounts = read_accounts(read_stored(session).text)
    except PermanentError as error:
        return [], [str(error)]
    return list(read.usable.values()), read.messages


def _fits(account: Account, search: str) -> bool:
    return search.casefold() in account.label.casefold()


def _pages(rows: int, a_page: int) -> int:
    return max(1, -(-rows // a_page))
