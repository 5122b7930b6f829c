"""The settings of the installation: Airflow's config section `[job_history]` and the Variable with the accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from airflow.configuration import conf

from job_history.accounts.variable import ACCOUNTS_VARIABLE, Accounts, read_accounts
from job_history.errors import PermanentError
from job_history.errors.quoting import quoted
from job_history.model.timestamp import parse_time

SECTION = "job_history"
_MOST_DIGITS = 12
"""Of a whole number: more is a slip of the pen, and larger than what times and sizes can be."""
_A_YEAR_OF_HOURS = 8_760


@dataclass(frozen=True)
class Settings:
    """The values of the section; sizes in bytes, the threshold in percent. Defaults are those of the provider info."""

    ledger_path: str
    staging_path: str
    settle: timedelta
    lookback: timedelta
    start_date: datetime | None
    max_document_bytes: int
    max_message_bytes: int
    upload_concurrency: int
    max_jobs_per_slice: int
    max_jobs_per_convoy: int
    max_accounts_per_convoy: int
    quarantine_threshold: int


def read_settings() -> Settings:
    """Read the section. Raises PermanentError if an option holds what it cannot mean."""
    return Settings(
        ledger_path=_text("ledger_path"),
        staging_path=_text("staging_path"),
        settle=timedelta(minutes=_number("settle_minutes", at_least=0, at_most=_A_YEAR_OF_HOURS * 60)),
        lookback=timedelta(hours=_number("lookback_hours", at_least=1, at_most=_A_YEAR_OF_HOURS)),
        start_date=read_start_date(),
        max_document_bytes=_number("max_document_bytes", at_least=1_000),
        max_message_bytes=_number("max_message_bytes", at_least=2_000, at_most=262_144),
        upload_concurrency=_number("upload_concurrency", at_least=1),
        max_jobs_per_slice=_number("max_jobs_per_slice", at_least=1),
        max_jobs_per_convoy=_number("max_jobs_per_convoy", at_least=0),
        max_accounts_per_convoy=_number("max_accounts_per_convoy", at_least=1),
        quarantine_threshold=_number("quarantine_threshold", at_least=0, at_most=100),
    )


def read_start_date() -> datetime | None:
    """Return the hour from which on every hour needs a run, or None if nothing is caught up."""
    text = conf.get(SECTION, "start_date", fallback=None)
    if not text:
        return None
    try:
        return parse_time(text)
    except ValueError as fault:
        raise PermanentError(f"[{SECTION}] start_date: {fault}. Write it as 2018-05-21T00:00:00Z.") from fault


class DagLabels(NamedTuple):
    """What Airflow's lists show of both DAGs."""

    owner: str
    tags: list[str]


def read_dag_labels() -> DagLabels:
    """Return the owner and the tags of both DAGs; Airflow's own default owner if none is set."""
    owner = conf.get(SECTION, "owner", fallback=None) or conf.get("operators", "default_owner")
    tags = (conf.get(SECTION, "tags", fallback="") or "").split(",")
    return DagLabels(owner, [tag.strip() for tag in tags if tag.strip()])


def load_accounts() -> Accounts:
    """Read the Variable with the accounts. Raises PermanentError if nothing in it can be used, or if there is none.

    Raises TransientError if Airflow cannot say whether there is one.
    """
    from airflow.sdk import Variable

    text = Variable.get(ACCOUNTS_VARIABLE, default=None)
    if text is None:
        from job_history_airflow.airflow_lookup import check_really_missing

        check_really_missing("variable", ACCOUNTS_VARIABLE, f"The Airflow Variable {ACCOUNTS_VARIABLE}")
    return read_accounts(text)


def read_signing_conn_id() -> str | None:
    """Return the id of the connection with the key that signs seals; None if seals are not signed."""
    return conf.get(SECTION, "signing_conn_id", fallback=None) or None


def read_shared_group() -> bool:
    """Return whether the group of ledger and staging folder may use what we make in them."""
    text = conf.get(SECTION, "shared_group", fallback="False")
    if text.strip().lower() not in {"true", "false"}:
        raise PermanentError(f"[{SECTION}] shared_group = {text!r} is neither True nor False.")
    return text.strip().lower() == "true"


def _text(option: str) -> str:
    value = conf.get(SECTION, option, fallback="")
    if not value:
        raise PermanentError(f"[{SECTION}] {option} is empty: set it, or take the line out to have the default.")
    return value


def _number(option: str, *, at_least: int, at_most: int | None = None) -> int:
    text = _text(option)
    number = int(text) if text.strip().isdecimal() and len(text.strip()) <= _MOST_DIGITS else None
    if number is None or number < at_least or (at_most is not None and number > at_most):
        limits = f"at least {at_least}" if at_most is None else f"{at_least} to {at_most}"
        raise PermanentError(f"[{SECTION}] {option} = {quoted(text)} is not a whole number of {limits}.")
    return number
