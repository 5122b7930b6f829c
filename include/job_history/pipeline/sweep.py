"""Deletes, once a day, files of the ledger that no receipt names, for many accounts at once."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import product

from job_history.accounts.account import Account
from job_history.errors import ReplicationError
from job_history.ledger.receipts_in_bulk import REQUESTS_AT_ONCE
from job_history.ledger.reconciled import reconciled_until
from job_history.ledger.superseded_files import KEPT, OldQuarantine, delete_superseded_files, swept_days
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.storage import Storage

log = logging.getLogger(__name__)


class Sweep:
    """What is old enough now. An error is a warning, and the files are deleted another day."""

    def __init__(self, ledger: Storage, now: datetime) -> None:
        self._ledger = ledger
        self._before = now - KEPT
        self._days: list[Window] = []
        try:
            self._quarantine = OldQuarantine(ledger, self._before)
            self._days = swept_days(now, reconciled_until(ledger))
        except ReplicationError as error:
            log.warning("Old files of the ledger are not deleted: %s", error)

    def sweep(self, accounts: Iterable[Account]) -> None:
        """Delete such files of these accounts: a listing for each account and day."""
        to_sweep = [
            (account, kind, day) for account in accounts for kind, day in product(account.events.kinds, self._days)
        ]
        with ThreadPoolExecutor(REQUESTS_AT_ONCE, "sweep") as threads:
            list(threads.map(self._sweep_day, to_sweep))

    def _sweep_day(self, which: tuple[Account, EventKind, Window]) -> None:
        account, kind, day = which
        try:
            delete_superseded_files(self._ledger, account.user_id, kind, day, self._before, old=self._quarantine)
        except ReplicationError as error:
            log.warning("Account %s: superseded files were not deleted: %s", kind.of(account.label), error)
