"""Reads and writes the Variable with the accounts, for the pages and the command line."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

import msgspec
from airflow.configuration import ensure_secrets_loaded
from airflow.models.log import Log
from airflow.models.variable import Variable
from airflow.secrets.metastore import MetastoreBackend
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from job_history.accounts.variable import ACCOUNTS_VARIABLE
from job_history_airflow.dag_ids import REPLICATION_DAG


class SavedMeanwhileError(Exception):
    """Another user saved the accounts after they were read."""


@dataclass(frozen=True)
class StoredAccounts:
    """The Variable as it was read.

    `text` is None if there is no such Variable. `fingerprint` changes with the text. `held_elsewhere` names the backend
    that overrides Airflow's database, so that the Variable cannot be changed here. `unreadable` explains why its text
    is not a list.
    """

    text: str | None = None
    entries: list[Any] = field(default_factory=list)
    fingerprint: str = ""
    held_elsewhere: str | None = None
    unreadable: str | None = None

    @property
    def can_change(self) -> bool:
        return self.held_elsewhere is None and self.unreadable is None


def read_stored(session: Session) -> StoredAccounts:
    """Read the accounts from the backend that a task would read them from."""
    for backend in ensure_secrets_loaded():
        if not isinstance(backend, MetastoreBackend) and (text := backend.get_variable(ACCOUNTS_VARIABLE)) is not None:
            return stored_accounts(text, held_elsewhere=type(backend).__name__)
    return stored_accounts(_text_in(session))


def replace_entries(session: Session, stored: StoredAccounts, entries: list[Any]) -> None:
    """Write the accounts if they are still as they were read. Raises SavedMeanwhileError if they are not."""
    written: Variable = Variable(ACCOUNTS_VARIABLE, json.dumps(entries, indent=1, ensure_ascii=False))  # type: ignore[no-untyped-call]
    row = session.execute(
        select(Variable.__table__.c.id, Variable.__table__.c.val).where(Variable.__table__.c.key == ACCOUNTS_VARIABLE)
    ).one_or_none()
    if _fingerprint(_text_in(session)) != stored.fingerprint:
        raise SavedMeanwhileError
    if row is None:
        session.add(written)
        try:
            session.flush()
        except IntegrityError:
            raise SavedMeanwhileError from None
        return
    # Overwrite only the text that was compared: of two users who save at the same moment, both get this far.
    done: Any = session.execute(
        update(Variable.__table__)
        .where(Variable.__table__.c.id == row.id, Variable.__table__.c.val == row.val)
        .values(val=written._val, is_encrypted=written.is_encrypted)  # noqa: SLF001 - the encrypted text has no other name
    )
    if done.rowcount != 1:
        raise SavedMeanwhileError


def write_audit_log(session: Session, user_name: str, action: str, details: dict[str, Any]) -> None:
    """Add an entry to Airflow's audit log, among those of the hourly DAG."""
    session.add(
        Log(
            event=f"job_history_accounts_{action}",
            owner=user_name,
            owner_display_name=user_name,
            extra=json.dumps(details),
            dag_id=REPLICATION_DAG,
        )
    )


def _text_in(session: Session) -> str | None:
    variable = session.scalar(
        select(Variable).where(Variable.key == ACCOUNTS_VARIABLE).execution_options(populate_existing=True)
    )
    return None if variable is None else variable.get_val()


def stored_accounts(text: str | None, *, held_elsewhere: str | None = None) -> StoredAccounts:
    """Return the Variable whose text this is; None: there is none."""
    entries: Any = []
    unreadable = None
    if text is not None:
        try:
            # Stricter than a run, which leaves out single entries with NaN or half a character: no page can show them.
            entries = msgspec.json.decode(text)
        except (msgspec.DecodeError, RecursionError) as error:
            unreadable = f"is not valid JSON: {error}"
        else:
            unreadable = None if isinstance(entries, list) else "is JSON, but not a list"
    return StoredAccounts(
        text=text,
        entries=[] if unreadable else entries,
        fingerprint=_fingerprint(text),
        held_elsewhere=held_elsewhere,
        unreadable=unreadable,
    )


def _fingerprint(text: str | None) -> str:
    return "none" if text is None else hashlib.sha256(text.encode()).hexdigest()
