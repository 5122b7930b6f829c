"""The status as JSON, for whoever watches it by program. Read only; the same rights as for the pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, HTTPException, Query, Response, status

from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_store import read_receipt
from job_history.model.event_kind import EventKind
from job_history_airflow.ui.access import Viewer
from job_history_airflow.ui.request_context import Visit
from job_history_airflow.ui.status.overview import Overview
from job_history_airflow.ui.status.pages import requested_window
from job_history_airflow.ui.status.period import SPANS, period_of
from job_history_airflow.ui.status.replication_status import ledger, status_page


class StatusAnswer(msgspec.Struct, kw_only=True):
    """A page of the status. `faults`: sentences on entries of the Variable that cannot be used."""

    page: int
    pages: int
    accounts: int
    faults: list[str]
    overview: Overview


_, SCHEMAS = msgspec.json.schema_components([StatusAnswer, Receipt], ref_template="#/components/schemas/{name}")

router = APIRouter(prefix="/api", tags=["status"])


def _documented(schema: str) -> dict[int | str, dict[str, Any]]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {200: {"content": content}, 401: {"description": "No token"}, 403: {"description": "Not allowed"}}


@router.get("/status", responses=_documented("StatusAnswer"), response_class=Response)
def status_of_accounts(  # noqa: PLR0917 - each is a part of the address
    visitor: Visit,
    span: Annotated[str, Query(description=f"One of {', '.join(SPANS)}; with d, a cell is a day.")] = "24h",
    until: Annotated[str | None, Query(description="ISO 8601; left out: now.")] = None,
    search: Annotated[str, Query(description="Part of `user_id name`.")] = "",
    show: Annotated[str, Query(description="`owed`: only accounts of which something is missing.")] = "all",
    page: Annotated[int, Query(ge=1)] = 1,
) -> Response:
    """How each account's windows stand, with sums, lag and lateness."""
    period = period_of(span, until, datetime.now(UTC))
    shown = status_page(visitor.session, period, search=search.strip(), owed_only=show == "owed", number=page)
    overview = msgspec.structs.replace(shown.overview, rows=shown.rows)
    return _json(
        StatusAnswer(page=shown.number, pages=shown.of, accounts=shown.accounts, faults=shown.faults, overview=overview)
    )


@router.get("/windows/{user_id}/{kind}", responses=_documented("Receipt"), response_class=Response)
def receipt_of_window(
    user: Viewer,  # noqa: ARG001 - only to ask who it is
    user_id: int,
    kind: EventKind,
    start: Annotated[str, Query(description="ISO 8601: where the window begins.")],
    end: Annotated[str, Query(description="ISO 8601: where it ends.")],
) -> Response:
    """The receipt of one window, as the ledger has it."""
    window = requested_window(start, end)
    receipt = read_receipt(ledger(), user_id, kind, window)
    if receipt is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"There is no receipt of account {user_id} for {window}.")
    return _json(receipt)


def _json(answer: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")
