"""The Variable with the accounts, as the set-up page reads and writes it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
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
    """Somebody else has saved the accounts since they were read."""


@dataclass(frozen=True)
class StoredAccounts:
    """The Variable as it was read.

    `text` is None where there is no such Variable; `fingerprint` tells whether it is still the same. `held_elsewhere` names what overrides Airflow's database, where the
    Variable cannot be changed from here; `unreadable` says why its text is no list.
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
    """Read the accounts from wherever a task would read them."""
    for backend in ensure_secrets_loaded():
        if not isinstance(backend, MetastoreBackend) and (text := backend.get_variable(ACCOUNTS_VARIABLE)) is not None:
            return _stored(text, held_elsewhere=type(backend).__name__)
    return _stored(_text_in(session))


def replace_entries(session: Session, stored: StoredAccounts, entries: list[Any]) -> None:
    """Write the accounts, where they are still as they were read. Raises SavedMeanwhileError where they are not."""
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
    # Only over the very text that was compared: two who save in the same moment both got this far.
    done: Any = session.execute(
        update(Variable.__table__)
        .where(Variable.__table__.c.id == row.id, Variable.__table__.c.val == row.val)
        .values(val=written._val, is_encrypted=written.is_encrypted)  # noqa: SLF001 - the encrypted text has no other name
    )
    if done.rowcount != 1:
        raise SavedMeanwhileError


def note_in_audit_log(session: Session, user: BaseUser, what: str, reported: dict[str, Any]) -> None:
    """Leave an entry in Airflow's own audit log, where the hourly DAG's are."""
    session.add(
        Log(
            event=f"job_history_accounts_{what}",
            owner=user.get_name(),
            owner_display_name=user.get_name(),
            extra=json.dumps(reported),
            dag_id=REPLICATION_DAG,
        )
    )


def _text_in(session: Session) -> str | None:
    variable = session.scalar(
        select(Variable).where(Variable.key == ACCOUNTS_VARIABLE).execution_options(populate_existing=True)
    )
    return None if variable is None else variable.get_val()


def _stored(text: str | None, *, held_elsewhere: str | None = None) -> StoredAccounts:
    entries: Any = []
    unreadable = None
    if text is not None:
        try:
            entries = json.loads(text)
        except (ValueError, RecursionError) as fault:
            unreadable = f"is no valid JSON: {fault}"
        else:
            unreadable = None if isinstance(entries, list) else "holds JSON, but no list"
    return StoredAccounts(
        text=text,
        entries=[] if unreadable else entries,
        fingerprint=_fingerprint(text),
        held_elsewhere=held_elsewhere,
        unreadable=unreadable,
    )


def _fingerprint(text: str | None) -> str:
    return "none" if text is None else hashlib.sha256(text.encode()).hexdigest()
