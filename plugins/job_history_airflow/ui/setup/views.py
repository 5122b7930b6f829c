"""The views of the set-up page: the table of accounts, and the form of one account."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import Response

from job_history_airflow.accounts_variable import StoredAccounts
from job_history_airflow.ui.access import may_edit_accounts
from job_history_airflow.ui.forms import token_for
from job_history_airflow.ui.request_context import RequestContext
from job_history_airflow.ui.setup.account_entries import Errors, position_of, rows_of, sentences, text_of
from job_history_airflow.ui.setup.account_form import account_form
from job_history_airflow.ui.setup.labels import label_of, place_shown
from job_history_airflow.ui.setup.latest_states import latest_states
from job_history_airflow.ui.setup.offered_connections import names_for, visible_connections
from job_history_airflow.ui.setup.redaction_rows import ACTIONS, FORMS, PATTERNS, rows_in
from job_history_airflow.ui.status.overview import WORDS


def accounts_view(
    context: RequestContext,
    stored: StoredAccounts,
    *,
    note: str = "",
    conflict: str = "",
    search: str = "",
    page: int = 1,
    code: int = 200,
) -> Response:
    allowed = may_edit_accounts(context.user)
    return context.render(
        "setup.html",
        code=code,
        shown=rows_of(stored.entries, search, page),
        accounts=len(stored.entries),
        search=search,
        latest=latest_states(),
        words=WORDS,
        label_of=label_of,
        place_shown=place_shown,
        stored=stored,
        allowed=allowed,
        editable=allowed and stored.can_change,
        csrf_token=token_for(context.user),
        note=note,
        conflict=conflict,
    )


@dataclass(frozen=True)
class FormContent:
    """What the form of an account is filled with.

    `entry_id` names the entry, None for a new account. `saved` is what another user has saved for this account
    meanwhile.
    """

    entry_id: str | None
    texts: dict[str, str]
    errors: Errors = field(default_factory=dict)
    conflict: str = ""
    saved: str = ""


def form_view(context: RequestContext, stored: StoredAccounts, content: FormContent, *, code: int = 200) -> Response:
    fields = account_form()
    connections = visible_connections(context.session, context.user)
    position = None if content.entry_id is None else position_of(stored.entries, content.entry_id)
    entry = {} if position is None else stored.entries[position]
    links = {place: fields.field_at(place, content.texts) for place in content.errors}
    without_field = {place: errors for place, errors in content.errors.items() if links[place] is None}
    return context.render(
        "account.html",
        code=code,
        form=fields,
        content=content,
        title="Add an account"
        if position is None
        else f"{text_of(entry, 'user_id')} {text_of(entry, 'name')}".strip() or f"Entry {position + 1}",
        rules=rows_in(content.texts),
        rule_forms=FORMS,
        rule_actions=ACTIONS,
        patterns=PATTERNS,
        field_errors=[
            (*link, error) for place, link in links.items() if link is not None for error in content.errors[place]
        ],
        other_errors=sentences(without_field),
        offered={kind.type: names_for(kind.type, connections) for section in fields.sections for kind in section.kinds},
        every_connection=list(connections),
        witnesses=names_for("witness_conn_id", connections),
        stored=stored,
        editable=may_edit_accounts(context.user) and stored.can_change,
        csrf_token=token_for(context.user),
    )
