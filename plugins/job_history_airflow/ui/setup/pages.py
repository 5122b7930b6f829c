"""The page "Audit log replication": the accounts of the Variable, and what can be done with them."""

from __future__ import annotations

import json
from typing import Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import ConnectionDetails
from fastapi import APIRouter, HTTPException, Response, status
from fastapi.responses import RedirectResponse

from job_history.accounts.account import Account
from job_history_airflow.preflight import preflight_account
from job_history_airflow.settings import read_settings
from job_history_airflow.ui.accounts_variable import (
    SavedMeanwhileError,
    StoredAccounts,
    note_in_audit_log,
    read_stored,
    replace_entries,
)
from job_history_airflow.ui.request_context import EditorsVisit, Post, RequestContext, Visit
from job_history_airflow.ui.setup import views
from job_history_airflow.ui.setup.account_entries import read_entry, sentences, shown, user_ids_but
from job_history_airflow.ui.setup.account_form import account_form
from job_history_airflow.ui.setup.preview import preview_of
from job_history_airflow.ui.setup.views import Filled

router = APIRouter(prefix="/setup", include_in_schema=False)

_DONE = {
    "added": "The account was added. The next run replicates it.",
    "changed": "The account was saved. The next run goes by it.",
    "paused": "The account is paused: its hours are reported as disabled.",
    "resumed": "The account is replicated again, from the next run on.",
    "removed": "The account was removed. What was delivered for it stays where it is.",
}
_SOMEBODY_SAVED = "Somebody else saved the accounts since you opened this page, so nothing of yours was saved."
_YOURS_IS_BELOW = "What you entered is still below; look at what stands now, and save once more if yours is right."
_NEW_ACCOUNT = {"enabled": True, "events": {"job_history": True, "line_details": True}}


@router.get("")
def accounts_table(visitor: Visit, done: str = "") -> Response:
    return views.table(visitor, read_stored(visitor.session), note=_DONE.get(done, ""))


@router.get("/accounts/new")
def new_account(visitor: EditorsVisit) -> Response:
    return views.form(visitor, read_stored(visitor.session), Filled(None, account_form().texts_of(_NEW_ACCOUNT)))


@router.get("/accounts/{position}")
def one_account(visitor: Visit, position: int) -> Response:
    stored = read_stored(visitor.session)
    texts = account_form().texts_of(_entry_at(stored, position))
    _, faults = read_entry(stored.entries[position], user_ids_but(stored.entries, position))
    return views.form(visitor, stored, Filled(position, texts, faults))


@router.post("/accounts/new")
def add_account(visitor: Post) -> Response:
    return _save(visitor, None)


@router.post("/accounts/{position}")
def save_account(visitor: Post, position: int) -> Response:
    return _save(visitor, position)


@router.post("/accounts/{position}/pause")
def pause_account(visitor: Post, position: int) -> Response:
    return _change(visitor, position, "paused", {"enabled": False})


@router.post("/accounts/{position}/resume")
def resume_account(visitor: Post, position: int) -> Response:
    return _change(visitor, position, "resumed", {"enabled": True})


@router.post("/accounts/{position}/remove")
def remove_account(visitor: Post, position: int) -> Response:
    return _change(visitor, position, "removed", None)


@router.post("/preview")
def preview(visitor: Post) -> Response:
    account, faults = _entered(visitor)
    made = None if account is None else preview_of(account)
    return visitor.shown("preview.html", preview=made, account=account, faults=faults)


@router.post("/test")
def test_connection(visitor: Post) -> Response:
    """Check source and destination now, as a run would first of all. It may take some seconds, in a thread of its own."""
    account, faults = _entered(visitor)
    if account is None:
        return visitor.shown("findings.html", account=None, faults=faults, findings=[])
    _refuse_hidden_connections(visitor, account)
    findings = preflight_account(account, read_settings())
    return visitor.shown("findings.html", account=account, faults=[], findings=findings)


def _save(visitor: RequestContext, position: int | None) -> Response:
    stored = read_stored(visitor.session)
    if stored.fingerprint != visitor.posted.get("loaded"):
        return _conflict(visitor, stored)
    earlier = {} if position is None else _entry_at(stored, position)
    entry = account_form().entry_of(visitor.posted, earlier)
    account, faults = read_entry(entry, user_ids_but(stored.entries, position))
    if account is None:
        filled = Filled(position, visitor.posted, faults)
        return views.form(visitor, stored, filled, code=status.HTTP_422_UNPROCESSABLE_CONTENT)
    if position is None:
        return _write(visitor, stored, [*stored.entries, entry], "added", {"user_id": account.user_id})
    changed = sorted(key for key in {*entry, *earlier} if entry.get(key) != earlier.get(key))
    entries = [entry if number == position else other for number, other in enumerate(stored.entries)]
    return _write(visitor, stored, entries, "changed", {"user_id": account.user_id, "fields": changed})


def _change(visitor: RequestContext, position: int, what: str, changes: dict[str, Any] | None) -> Response:
    """Change an entry as it stands; without changes, take it out."""
    stored = read_stored(visitor.session)
    if stored.fingerprint != visitor.posted.get("loaded"):
        return views.table(visitor, stored, conflict=_SOMEBODY_SAVED, code=status.HTTP_409_CONFLICT)
    reported = {"user_id": shown(stored.entries[position] if position < len(stored.entries) else None, "user_id")}
    instead = [] if changes is None else [{**_entry_at(stored, position), **changes}]
    entries = [*stored.entries[:position], *instead, *stored.entries[position + 1 :]]
    return _write(visitor, stored, entries, what, reported)


def _write(
    visitor: RequestContext, stored: StoredAccounts, entries: list[Any], what: str, reported: dict[str, Any]
) -> Response:
    if not stored.can_change:
        raise HTTPException(status.HTTP_409_CONFLICT, "The accounts cannot be changed from here; the page says why.")
    try:
        replace_entries(visitor.session, stored, entries)
    except SavedMeanwhileError:
        visitor.session.rollback()
        return _conflict(visitor, read_stored(visitor.session))
    note_in_audit_log(visitor.session, visitor.user, what, reported)
    return RedirectResponse(f"{visitor.request.scope['root_path']}/setup?done={what}", status.HTTP_303_SEE_OTHER)


def _conflict(visitor: RequestContext, stored: StoredAccounts) -> Response:
    """Show what was entered beside what stands now, at whatever place the account has come to."""
    was = visitor.posted.get("was_user_id")
    position = next(
        (number for number, entry in enumerate(stored.entries) if was and shown(entry, "user_id") == was), None
    )
    stands = "" if position is None else json.dumps(stored.entries[position], indent=1, ensure_ascii=False)
    filled = Filled(position, visitor.posted, conflict=f"{_SOMEBODY_SAVED} {_YOURS_IS_BELOW}", stands=stands)
    return views.form(visitor, stored, filled, code=status.HTTP_409_CONFLICT)


def _entered(visitor: RequestContext) -> tuple[Account | None, list[str]]:
    """Read the account that is being entered, whether or not it can be saved beside the others."""
    account, faults = read_entry(account_form().entry_of(visitor.posted, {}), user_ids_but([], None))
    return account, sentences(faults)


def _entry_at(stored: StoredAccounts, position: int) -> dict[str, Any]:
    if not 0 <= position < len(stored.entries):
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"The accounts have no entry {position + 1} any more.")
    entry = stored.entries[position]
    return entry if isinstance(entry, dict) else {}


def _refuse_hidden_connections(visitor: RequestContext, account: Account) -> None:
    """Who may not see a connection may not have it used either."""
    for conn_id in (account.source.conn_id, account.destination.conn_id):
        allowed = get_auth_manager().is_authorized_connection(
            method="GET", details=ConnectionDetails(conn_id=conn_id), user=visitor.user
        )
        if not allowed:
            raise HTTPException(status.HTTP_403_FORBIDDEN, f"You may not use the Airflow connection {conn_id!r}.")
