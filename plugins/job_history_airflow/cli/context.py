"""Airflow's config, the Variable with the accounts, ledger and staging, for a command that runs outside any task."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from job_history.errors import PermanentError
from job_history.storage import folder_of
from job_history_airflow.cli.printing import reserve_stdout_for_answers
from job_history_airflow.cli.start_airflow import finish_start, read_variable, start_airflow

if TYPE_CHECKING:
    from job_history.accounts.variable import Accounts
    from job_history.storage import Storage
    from job_history_airflow.settings import Settings


@dataclass(frozen=True)
class CommandContext:
    """The installation as the machine of the command sees it.

    Properties raise PermanentError if they cannot be read.
    """

    settings: Settings

    @cached_property
    def accounts(self) -> Accounts:
        from job_history.accounts.variable import ACCOUNTS_VARIABLE, read_accounts

        if (text := read_variable(ACCOUNTS_VARIABLE)) is not None:
            return read_accounts(text)
        finish_start()
        from job_history_airflow.settings import load_accounts

        return load_accounts()

    @cached_property
    def ledger(self) -> Storage:
        ledger = self.settings.ledger_path
        if (folder := folder_of(ledger)) is not None and not folder.is_dir():
            raise PermanentError(
                f"There is no ledger at {folder}: no run has reported yet, or [job_history] ledger_path of this "
                "machine is not that of the workers. Correct it."
            )
        return _storage_at(ledger)

    @cached_property
    def staging(self) -> Storage:
        return _storage_at(self.settings.staging_path)


def load_context(*, quickly: bool = False) -> CommandContext:
    """Read the config. `quickly`: for a command that uses no hook of a provider, unless the ledger is in a bucket."""
    reserve_stdout_for_answers()
    start_airflow(quickly=quickly)
    from job_history_airflow.settings import read_settings

    return CommandContext(read_settings())


def _storage_at(path: str) -> Storage:
    if folder_of(path) is None:
        finish_start()
    from job_history_airflow.factories.storage import storage_at

    return storage_at(path)
