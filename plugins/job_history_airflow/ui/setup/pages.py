"""The page "Audit log replication": the accounts of the Variable, and the actions on them."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Path, Query, Response, status
from fastapi.responses import RedirectResponse

from job_history.accounts.account import Account
from job_history_airflow.accounts_variable import (
    SavedMeanwhileError,
    StoredAccounts,
    read_stored,
    replace_entries,
    write_audit_log,
)
from job_history_airflow.preflight import preflight_account
from job_history_airflow.settings import read_settings
from job_history_airflow.ui.request_context import EditorRequest, PostRequest, ReaderRequest, RequestContext
from job_history_airflow.ui.setup.account_entries import (
    ENTRY_ID,
    Errors,
    position_of,
    read_entry,
    sentences,
    user_ids_except,
)
from job_history_airflow.ui.setup.account_form import account_form
from job_history_airflow.ui.setup.connection_rights import refused_connections
from job_history_airflow.ui.setup.offered_connections import unfit_connections, visible_connections
from job_history_airflow.ui.setup.preview import preview_of
from job_history_airflow.ui.setup.views import FormContent, accounts_view, form_view

router = APIRouter(prefix="/setup", include_in_schema=False)

MAX_SEARCH_LENGTH = 200
MAX_PAGE = 10_000
EntryId = Annotated[str, Path(pattern=ENTRY_ID)]

_DONE = {
    "added": "The account was added. The next run replicates it.",
    "changed": "The account was saved. The next run uses the new settings.",
    "paused": "The account is paused: its hours are reported as disabled.",
    "resumed": "The account is replicated again, starting with the next run.",
    "removed": "The account was removed. Its delivered documents stay at the destination.",
}
_SAVED_MEANWHILE = "Another user saved the accounts since you opened this page, so your change was not saved."
_COMPARE = "Your entries are still below. Compare them with what is saved now, and save again if yours are right."
_NEW_ACCOUNT = {"enabled": True, "events": {"job_history": True, "line_details": True}}


@router.get("")
def accounts_table(
    context: ReaderRequest,
    done: Annotated[str, Query(max_length=20)] = "",
    search: Annotated[str, Query(max_length=MAX_SEARCH_LENGTH)] = "",
    page: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 1,
) -> Response:
    stored = read_stored(context.session)
    return accounts_view(context, stored, note=_DONE.get(done, ""), search=search.strip(), page=page)


@router.get("/accounts/new")
def new_account(context: EditorRequest) -> Response:
    return form_view(context, read_stored(context.session), FormContent(None, account_form().texts_of(_NEW_ACCOUNT)))


@router.get("/accounts/{entry_id}")
def one_account(context: ReaderRequest, entry_id: EntryId) -> Response:
    stored = read_stored(context.session)
    position, entry = _entry(stored, entry_id)
    _, errors = read_entry(stored.entries[position], user_ids_except(stored.entries, position))
    return form_view(context, stored, FormContent(entry_id, account_form().texts_of(entry), errors))


@router.post("/accounts/new")
def add_account(context: PostRequest) -> Response:
    return _save(context, None)


@router.post("/accounts/{entry_id}")
def save_account(context: PostRequest, entry_id: EntryId) -> Response:
    return _save(context, entry_id)


@router.post("/accounts/{entry_id}/pause")
def pause_account(context: PostRequest, entry_id: EntryId) -> Response:
    return _change(context, entry_id, "paused", {"enabled": False})


@router.post("/accounts/{entry_id}/resume")
def resume_account(context: PostRequest, entry_id: EntryId) -> Response:
    return _change(context, entry_id, "resumed", {"enabled": True})


@router.post("/accounts/{entry_id}/remove")
def remove_account(context: PostRequest, entry_id: EntryId) -> Response:
    return _change(context, entry_id, "removed", None)


@router.post("/preview")
def preview(context: PostRequest) -> Response:
    account, errors = _posted_account(context)
    made = None if account is None else preview_of(account)
    return context.render("preview.html", preview=made, account=account, errors=sentences(errors))


@router.post("/test")
def test_connection(context: PostRequest) -> Response:
    """Check source and destination now, as the first step of a run does.

    It may take some seconds, in a thread of its own.
    """
    account, errors = _posted_account(context)
    if account is not None:
        errors = refused_connections(account, context.user)
    findings = [] if account is None or errors else preflight_account(account, read_settings())
    code = status.HTTP_403_FORBIDDEN if account is not None and errors else status.HTTP_200_OK
    return context.render("findings.html", code=code, errors=sentences(errors), findings=findings)


def _save(context: RequestContext, entry_id: str | None) -> Response:
    try:
        return _save_unchanged(context, entry_id)
    except SavedMeanwhileError:
        context.session.rollback()
        return _conflict(context, read_stored(context.session), entry_id)


def _save_unchanged(context: RequestContext, entry_id: str | None) -> Response:
    """Save the entry that was posted.

    Raises SavedMeanwhileError if the accounts are not those that the form was made of.
    """
    stored = _read_unchanged(context)
    position, earlier = (None, {}) if entry_id is None else _entry(stored, entry_id)
    entry = account_form().entry_of(context.posted, earlier)
    account, errors = read_entry(entry, user_ids_except(stored.entries, position))
    code = status.HTTP_422_UNPROCESSABLE_CONTENT
    if account is not None:
        errors = unfit_connections(account, visible_connections(context.session, context.user))
    if account is not None and (refused := refused_connections(account, context.user)):
        code, errors = status.HTTP_403_FORBIDDEN, refused
    if account is None or errors:
        return form_view(context, stored, FormContent(entry_id, context.posted, errors), code=code)
    if position is None:
        return _write(context, stored, [*stored.entries, entry], "added", {"user_id": account.user_id})
    changed = sorted(key for key in {*entry, *earlier} if entry.get(key) != earlier.get(key))
    entries = [entry if number == position else other for number, other in enumerate(stored.entries)]
    return _write(context, stored, entries, "changed", {"user_id": account.user_id, "fields": changed})


def _change(context: RequestContext, entry_id: str, action: str, changes: dict[str, Any] | None) -> Response:
    """Change keys of an entry and keep the others; without changes, remove the entry."""
    try:
        stored = _read_unchanged(context)
        position, entry = _entry(stored, entry_id)
        instead = [] if changes is None else [{**entry, **changes}]
        if action == "resumed":
            _check_connections(entry, context)
        entries = [*stored.entries[:position], *instead, *stored.entries[position + 1 :]]
        details = {"user_id": entry.get("user_id"), "entry": entry_id}
        return _write(context, stored, entries, action, details)
    except SavedMeanwhileError:
        context.session.rollback()
        stored = read_stored(context.session)
        return accounts_view(context, stored, conflict=_SAVED_MEANWHILE, code=status.HTTP_409_CONFLICT)


def _check_connections(entry: dict[str, Any], context: RequestContext) -> None:
    """Raises HTTPException (403) if the entry names a connection that the user may not see."""
    account, _ = read_entry(entry, user_ids_except([], None))
    if account is not None and (refused := refused_connections(account, context.user)):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "The account was not resumed: " + "; ".join(sentences(refused)))


def _read_unchanged(context: RequestContext) -> StoredAccounts:
    stored = read_stored(context.session)
    if stored.fingerprint != context.posted.get("loaded"):
        raise SavedMeanwhileError
    return stored


def _write(
    context: RequestContext, stored: StoredAccounts, entries: list[Any], action: str, details: dict[str, Any]
) -> Response:
    if not stored.can_change:
        raise HTTPException(status.HTTP_409_CONFLICT, "The accounts cannot be changed here; the page explains why.")
    replace_entries(context.session, stored, entries)
    write_audit_log(context.session, context.user.get_name(), action, details)
    return RedirectResponse(f"{context.request.scope['root_path']}/setup?done={action}", status.HTTP_303_SEE_OTHER)


def _conflict(context: RequestContext, stored: StoredAccounts, entry_id: str | None) -> Response:
    """Show what was entered beside what is saved now. If the entry is gone, saving adds it."""
    position = None if entry_id is None else position_of(stored.entries, entry_id)
    content = FormContent(
        None if position is None else entry_id,
        context.posted,
        conflict=f"{_SAVED_MEANWHILE} {_COMPARE}",
        saved="" if position is None else json.dumps(stored.entries[position], indent=1, ensure_ascii=False),
    )
    return form_view(context, stored, content, code=status.HTTP_409_CONFLICT)


def _posted_account(context: RequestContext) -> tuple[Account | None, Errors]:
    """Read the account that is being entered, whether or not it can be saved beside the others."""
    return read_entry(account_form().entry_of(context.posted, {}), user_ids_except([], None))


def _entry(stored: StoredAccounts, entry_id: str) -> tuple[int, dict[str, Any]]:
    """Return an entry with its position; an empty one if it is not an object.

    Raises HTTPException (404) if there is none.
    """
    position = position_of(stored.entries, entry_id)
    if position is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"The accounts have no entry {entry_id} any more.")
    entry = stored.entries[position]
    return position, entry if isinstance(entry, dict) else {}
