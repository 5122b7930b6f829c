"""The page "Audit log replication": the accounts of the Variable, as a table and as forms."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import ConnectionDetails
from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import APIRouter, HTTPException, Request, Response, status
from fastapi.responses import RedirectResponse
from pydantic import ValidationError
from sqlalchemy.orm import Session

from job_history.account import Account, faults_by_place
from job_history_airflow.ui.access import Editor, Viewer, may_edit
from job_history_airflow.ui.account_form import account_form
from job_history_airflow.ui.accounts_variable import (
    SavedMeanwhileError,
    StoredAccounts,
    note_in_audit_log,
    read_stored,
    replace_entries,
)
from job_history_airflow.ui.forms import Form, Posted, token_for
from job_history_airflow.ui.offered_connections import names_for, visible_connections
from job_history_airflow.ui.preview import preview_of
from job_history_airflow.ui.rendering import rendered

router = APIRouter(prefix="/setup", include_in_schema=False)

_DONE = {
    "added": "The account was added. The next run replicates it.",
    "changed": "The account was saved. The next run goes by it.",
    "paused": "The account is paused: its hours are reported as disabled.",
    "resumed": "The account is replicated again, from the next run on.",
    "removed": "The account was removed. What was delivered for it stays where it is.",
}
SOMEBODY_ELSE_SAVED = (
    "Somebody else saved the accounts since you opened this page, so nothing of yours was saved. What you entered is still "
    "below; look at what stands now, and save once more if yours is right."
)


@dataclass(frozen=True)
class Row:
    """An entry of the Variable, as the table shows it."""

    position: int
    account: Account | None
    user_id: str
    name: str
    faults: list[str] = field(default_factory=list)


@router.get("")
def accounts_table(request: Request, user: Viewer, session: SessionDep, done: str = "") -> Response:
    return _table(request, user, read_stored(session), note=_DONE.get(done, ""))


@router.get("/accounts/new")
def new_account(request: Request, user: Editor, session: SessionDep) -> Response:
    entry = {"enabled": True, "events": {"job_history": True, "line_details": True}}
    return _form(request, user, session, read_stored(session), None, account_form().texts_of(entry))


@router.get("/accounts/{position}")
def edit_account(request: Request, user: Viewer, session: SessionDep, position: int) -> Response:
    stored = read_stored(session)
    return _form(request, user, session, stored, position, account_form().texts_of(_entry_at(stored, position)))


@router.post("/accounts/new")
def add_account(request: Request, user: Editor, session: SessionDep, posted: Posted) -> Response:
    return _save(request, user, session, posted, None)


@router.post("/accounts/{position}")
def save_account(request: Request, user: Editor, session: SessionDep, posted: Posted, position: int) -> Response:
    return _save(request, user, session, posted, position)


@router.post("/accounts/{position}/pause")
def pause_account(request: Request, user: Editor, session: SessionDep, posted: Posted, position: int) -> Response:
    return _switch(request, user, session, posted, position, enabled=False)


@router.post("/accounts/{position}/resume")
def resume_account(request: Request, user: Editor, session: SessionDep, posted: Posted, position: int) -> Response:
    return _switch(request, user, session, posted, position, enabled=True)


@router.post("/accounts/{position}/remove")
def remove_account(request: Request, user: Editor, session: SessionDep, posted: Posted, position: int) -> Response:
    stored = _as_loaded(session, posted)
    if stored is None:
        return _table(request, user, read_stored(session), conflict=True)
    entry = _entry_at(stored, position)
    entries = [other for number, other in enumerate(stored.entries) if number != position]
    return _write(request, user, session, stored, entries, "removed", user_id=_shown(entry, "user_id"))


@router.post("/preview")
def preview(request: Request, user: Editor, posted: Posted) -> Response:  # noqa: ARG001 - only to ask who it is
    account, faults = _read(account_form().entry_of(posted, {}), [])
    made = None if account is None else preview_of(account)
    return rendered(request, "preview.html", preview=made, account=account, faults=faults)


def _save(request: Request, user: BaseUser, session: Session, posted: Form, position: int | None) -> Response:
    stored = read_stored(session)
    form = account_form()
    if stored.fingerprint != posted.get("loaded"):
        return _conflict(request, user, session, stored, posted, position)
    earlier = {} if position is None else _entry_at(stored, position)
    entry = form.entry_of(posted, earlier)
    others = [other for number, other in enumerate(stored.entries) if number != position]
    account, faults = _read(entry, others)
    if account is None:
        return _form(request, user, session, stored, position, dict(posted), faults=faults, code=422)
    if position is None:
        return _write(request, user, session, stored, [*stored.entries, entry], "added", user_id=account.user_id)
    entries = [entry if number == position else other for number, other in enumerate(stored.entries)]
    changed = sorted(key for key in {*entry, *earlier} if entry.get(key) != earlier.get(key))
    return _write(request, user, session, stored, entries, "changed", user_id=account.user_id, fields=changed)


def _switch(
    request: Request, user: BaseUser, session: Session, posted: Form, position: int, *, enabled: bool
) -> Response:
    stored = _as_loaded(session, posted)
    if stored is None:
        return _table(request, user, read_stored(session), conflict=True)
    entry = {**_entry_at(stored, position), "enabled": enabled}
    entries = [entry if number == position else other for number, other in enumerate(stored.entries)]
    what = "resumed" if enabled else "paused"
    return _write(request, user, session, stored, entries, what, user_id=_shown(entry, "user_id"))


def _as_loaded(session: Session, posted: Form) -> StoredAccounts | None:
    stored = read_stored(session)
    return stored if stored.fingerprint == posted.get("loaded") else None


def _write(
    request: Request, user: BaseUser, session: Session, stored: StoredAccounts, entries: list[Any], what: str, **told: Any
) -> Response:
    if not stored.can_change:
        raise HTTPException(status.HTTP_409_CONFLICT, "The accounts cannot be changed from here; the page says why.")
    try:
        replace_entries(session, stored, entries)
    except SavedMeanwhileError:
        session.rollback()
        return _table(request, user, read_stored(session), conflict=True)
    note_in_audit_log(session, user, what, **told)
    return RedirectResponse(f"{request.scope['root_path']}/setup?done={what}", status.HTTP_303_SEE_OTHER)


def _conflict(
    request: Request, user: BaseUser, session: Session, stored: StoredAccounts, posted: Form, position: int | None
) -> Response:
    """Show what was entered beside what stands now, at whatever place the account has come to."""
    now_at = next(
        (
            number
            for number, entry in enumerate(stored.entries)
            if position is not None and _shown(entry, "user_id") == posted.get("was_user_id")
        ),
        None,
    )
    stands = None if now_at is None else json.dumps(stored.entries[now_at], indent=1, ensure_ascii=False)
    return _form(
        request, user, session, stored, now_at, dict(posted), conflict=SOMEBODY_ELSE_SAVED, stands=stands, code=409
    )


def _table(
    request: Request, user: BaseUser, stored: StoredAccounts, *, note: str = "", conflict: bool = False
) -> Response:
    editable = may_edit(user)
    return rendered(
        request,
        "setup.html",
        status=409 if conflict else 200,
        rows=[_row(position, stored.entries) for position in range(len(stored.entries))],
        stored=stored,
        editable=editable and stored.can_change,
        allowed=editable,
        csrf_token=token_for(user),
        note=note,
        conflict=SOMEBODY_ELSE_SAVED.split(" What you")[0] if conflict else "",
    )


def _form(
    request: Request,
    user: BaseUser,
    session: Session,
    stored: StoredAccounts,
    position: int | None,
    texts: dict[str, str],
    *,
    faults: dict[str, list[str]] | None = None,
    conflict: str = "",
    stands: str | None = None,
    code: int = 200,
) -> Response:
    form = account_form()
    connections = visible_connections(session, user)
    entry = {} if position is None else stored.entries[position]
    fields = {
        field.place for section in form.sections for kind in section.kinds for field in kind.fields
    } | {field.place for field in (*form.basics, *form.others)}
    return rendered(
        request,
        "account.html",
        status=code,
        form=form,
        texts=texts,
        position=position,
        was_user_id=_shown(entry, "user_id"),
        title="Add an account" if position is None else f"{_shown(entry, 'user_id')} {_shown(entry, 'name')}",
        faults=faults or {},
        other_faults=[f"{place}: {said}" for place, all_said in (faults or {}).items() for said in all_said
                      if place not in fields and not place.startswith("events")],
        offered={kind.type: names_for(kind.type, connections) for section in form.sections for kind in section.kinds},
        stored=stored,
        editable=may_edit(user) and stored.can_change,
        csrf_token=token_for(user),
        conflict=conflict,
        stands=stands,
    )


def _row(position: int, entries: list[Any]) -> Row:
    entry = entries[position]
    account, faults = _read(entry, [other for number, other in enumerate(entries) if number != position])
    told = [f"{place}: {said}" if place else said for place, all_said in faults.items() for said in all_said]
    return Row(position, account, _shown(entry, "user_id"), _shown(entry, "name"), told)


def _read(entry: Any, others: list[Any]) -> tuple[Account | None, dict[str, list[str]]]:
    """Read an entry as the DAG does. Returns the account, or what is wrong, by its place."""
    try:
        account = Account.model_validate(entry)
    except ValidationError as invalid:
        return None, faults_by_place(invalid)
    if Counter(_shown(other, "user_id") for other in others)[str(account.user_id)]:
        return None, {"user_id": [f"user_id {account.user_id} is there more than once; keep one of the entries"]}
    return account, {}


def _entry_at(stored: StoredAccounts, position: int) -> dict[str, Any]:
    if not 0 <= position < len(stored.entries):
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"The accounts have no entry {position + 1} any more.")
    entry = stored.entries[position]
    return entry if isinstance(entry, dict) else {}


def _shown(entry: Any, key: str) -> str:
    return str(entry[key]) if isinstance(entry, dict) and key in entry else ""


def _may_use_connections(user: BaseUser, account: Account) -> None:
    for conn_id in (account.source.conn_id, account.destination.conn_id):
        allowed = get_auth_manager().is_authorized_connection(
            method="GET", details=ConnectionDetails(conn_id=conn_id), user=user
        )
        if not allowed:
            raise HTTPException(status.HTTP_403_FORBIDDEN, f"You may not use the Airflow connection {conn_id!r}.")
