"""What a command needs of Airflow: its config, the Variable with the accounts, its connections, outside any task."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from job_history_airflow.cli.printing import keep_stdout_for_the_answer

if TYPE_CHECKING:
    from job_history.accounts.account import Accounts
    from job_history.storage import Storage
    from job_history_airflow.settings import Settings


@dataclass(frozen=True)
class CommandContext:
    """The installation, as the machine sees it on which the command runs. Raises PermanentError where it cannot be read."""

    settings: Settings

    @cached_property
    def accounts(self) -> Accounts:
        from job_history_airflow.settings import load_accounts

        return load_accounts()

    @cached_property
    def ledger(self) -> Storage:
        from job_history_airflow.factories.storage import storage_at

        return storage_at(self.settings.ledger_path)

    @cached_property
    def staging(self) -> Storage:
        from job_history_airflow.factories.storage import storage_at

        return storage_at(self.settings.staging_path)


def load_context() -> CommandContext:
    """Look Variables and connections up as Airflow's own commands do: secrets backend, environment, then its database.

    Without the mark of a server process the Task SDK leaves the database out; a task would have it asked for by others.
    """
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    keep_stdout_for_the_answer()
    from job_history_airflow.settings import read_settings

    return CommandContext(read_settings())
