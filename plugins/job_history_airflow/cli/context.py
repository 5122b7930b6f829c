"""Airflow's config, the Variable with the accounts, ledger and staging, for a command that runs outside any task."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from job_history_airflow.cli.printing import reserve_stdout_for_answers

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
    """Read the config. Variables and connections are then looked up as Airflow's own commands look them up.

    That is: in the secrets backend, in the environment, then in Airflow's database. The Task SDK skips the database
    unless the process is marked as a server: a task asks the API server instead, which a command has no token for.
    """
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    reserve_stdout_for_answers()
    from job_history_airflow.settings import read_settings

    return CommandContext(read_settings())
