"""An account's preflight, through Airflow's connections: for a run's plan, and by hand."""

from __future__ import annotations

import functools
from typing import NoReturn

from job_history.accounts.account import Account
from job_history.destinations.kind import kind_of
from job_history.errors.finding import Finding
from job_history.model.event_kind import EventKind
from job_history.preflight.check import Check, run_check
from job_history.storage import folder_of
from job_history.storage.folder_checks import folder_findings
from job_history_airflow.factories.sealing import check_seals_can_be_copied, check_signing_key, check_witness
from job_history_airflow.factories.sources import source_of
from job_history_airflow.factories.storage import storage_at
from job_history_airflow.settings import Settings, read_shared_group


def preflight_account(account: Account, settings: Settings) -> list[Finding]:
    """Check an account's destination and source now, and return the findings; an empty list: none.

    Writes a probe to the destination; reads no job. Raises nothing. Like all that uses
    storage, call it in a task, a request or a command, never while a DAG is parsed.
    """
    whose = f"Account {account.label}"
    of_destination = run_check(destination_check(account), whose)
    checks: list[Check] = [
        *(_source_check(account, kind, settings) for kind in account.events.kinds),
        functools.partial(check_folders, settings),
        check_signing_key,
        functools.partial(check_witness, account),
    ]
    if not of_destination:
        # A destination that takes no document takes no seal either, which would be the same finding twice.
        checks.append(functools.partial(check_seals_can_be_copied, account))
    return [*of_destination, *(finding for check in checks for finding in run_check(check, whose))]


def check_folders(settings: Settings) -> list[Finding]:
    """Return warnings about ledger and staging folder that others can use."""
    folders = {folder_of(settings.ledger_path), folder_of(settings.staging_path)} - {None}
    shared_group = read_shared_group()
    return [
        found
        for folder in sorted(folder for folder in folders if folder is not None and folder.is_dir())
        for found in folder_findings(folder, shared_group=shared_group)
    ]


def destination_check(account: Account) -> Check:
    """Look the account's connection up, and return the check of its destination, which may run in another thread."""
    try:
        return kind_of(account).check(account)
    except Exception as fault:  # noqa: BLE001 - the caller reports it
        return functools.partial(_raise, fault)


def _source_check(account: Account, kind: EventKind, settings: Settings) -> Check:
    from job_history.preflight.sources import check_source

    def check() -> list[Finding]:
        staging = storage_at(settings.staging_path)
        source = source_of(
            account, kind, max_document_bytes=settings.max_document_bytes, staging=staging, patient=False
        )
        return check_source(source, account)

    return check


def _raise(fault: Exception) -> NoReturn:
    raise fault
