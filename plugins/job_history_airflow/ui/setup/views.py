"""How the set-up page looks: the table of accounts, and the form of one."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastapi import Response

from job_history_airflow.ui.access import may_edit
from job_history_airflow.ui.accounts_variable import StoredAccounts
from job_history_airflow.ui.forms import token_for
from job_history_airflow.ui.request_context import RequestContext
from job_history_airflow.ui.setup.account_entries import Faults, rows_of, sentences, shown
from job_history_airflow.ui.setup.account_form import account_form
from job_history_airflow.ui.setup.offered_connections import names_for, visible_connections
from job_history_airflow.ui.setup.redaction_rows import ACTIONS, FORMS, PATTERNS, rows_in


def table(
    visitor: RequestContext, stored: StoredAccounts, *, note: str = "", conflict: str = "", code: int = 200
) -> Response:
    allowed = may_edit(visitor.user)
    return visitor.shown(
        "setup.html",
        code=code,
        rows=rows_of(stored.entries),
        stored=stored,
        allowed=allowed,
        editable=allowed and stored.can_change,
        csrf_token=token_for(visitor.user),
        note=note,
        conflict=conflict,
    )


@dataclass(frozen=True)
class Filled:
    """What the form is filled with. `position` is the entry's, None for a new one.

    `stands`: what somebody else has saved meanwhile for this account.
    """

    position: int | None
    texts: dict[str, str]
    faults: Faults = field(default_factory=dict)
    conflict: str = ""
    stands: str = ""


def form(visitor: RequestContext, stored: StoredAccounts, filled: Filled, *, code: int = 200) -> Response:
    fields = account_form()
    connections = visible_connections(visitor.session, visitor.user)
    entry = {} if filled.position is None else stored.entries[filled.position]
    beside_no_field = {place: detail for place, detail in filled.faults.items() if not fields.has(place)}
    return visitor.shown(
        "account.html",
        code=code,
        form=fields,
        filled=filled,
        was_user_id=shown(entry, "user_id"),
        title="Add an account"
        if filled.position is None
        else f"{shown(entry, 'user_id')} {shown(entry, 'name')}".strip() or f"Entry {filled.position + 1}",
        rules=rows_in(filled.texts),
        rule_forms=FORMS,
        rule_actions=ACTIONS,
        patterns=PATTERNS,
        other_faults=sentences(beside_no_field),
        offered={kind.type: names_for(kind.type, connections) for section in fields.sections for kind in section.kinds},
        every_connection=list(connections),
        stored=stored,
        editable=may_edit(visitor.user) and stored.can_change,
        csrf_token=token_for(visitor.user),
    )
