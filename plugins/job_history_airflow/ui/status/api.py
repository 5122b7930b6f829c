"""The status as JSON, for monitoring. Read only; the same rights as for the pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, HTTPException, Query, Response, status

from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_store import read_receipt
from job_history.model.event_kind import EventKind
from job_history_airflow.ui.request_context import ViewerRequest
from job_history_airflow.ui.status.overview import Overview
from job_history_airflow.ui.status.pages import PageNumber, Search, Show, Until, UserId, WindowEnd, WindowStart
from job_history_airflow.ui.status.period import Span, requested_period, requested_window
from job_history_airflow.ui.status.replication_status import ledger, status_page
from job_history_airflow.ui.status.visibility import visible_problems, visible_receipt, visible_rows


class StatusAnswer(msgspec.Struct, kw_only=True):
    """A page of the status. `faults`: a sentence for each entry of the Variable that cannot be used.

    `unsealed`: windows of the requested accounts that wait for a seal, at any time.
    """

    page: int
    pages: int
    accounts: int
    unsealed: int
    faults: list[str]
    overview: Overview


_, SCHEMAS = msgspec.json.schema_components([StatusAnswer, Receipt], ref_template="#/components/schemas/{name}")

router = APIRouter(prefix="/api", tags=["status"])


def _documented(schema: str) -> dict[int | str, dict[str, Any]]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {
        200: {"content": content},
        401: {"description": "No token"},
        403: {"description": "Not allowed"},
        422: {"description": "A parameter cannot be used"},
    }


@router.get("/status", responses=_documented("StatusAnswer"), response_class=Response)
def status_of_accounts(  # noqa: PLR0917 - each is a part of the address
    context: ViewerRequest,
    span: Annotated[Span, Query(description="With d, a cell is a day.")] = Span.DAY,
    until: Until = None,
    search: Search = "",
    show: Show = "all",
    page: PageNumber = 1,
) -> Response:
    """The state of each account's windows, with sums, lag and lateness."""
    period = requested_period(span, until, datetime.now(UTC))
    shown = status_page(context.session, period, search=search.strip(), incomplete_only=show == "owed", number=page)
    return _json(
        StatusAnswer(
            page=shown.number,
            pages=shown.of,
            accounts=shown.accounts,
            unsealed=shown.unsealed,
            faults=visible_problems(shown.problems, context.user),
            overview=msgspec.structs.replace(shown.overview, rows=visible_rows(shown.rows, context.user)),
        )
    )


@router.get("/windows/{user_id}/{kind}", responses=_documented("Receipt"), response_class=Response)
def receipt_of_window(
    context: ViewerRequest,
    user_id: UserId,
    kind: EventKind,
    start: WindowStart,
    end: WindowEnd,
) -> Response:
    """The receipt of one window, without what you may not see in Airflow."""
    window = requested_window(start, end)
    receipt = read_receipt(ledger(), user_id, kind, window)
    if receipt is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"There is no receipt of account {user_id} for {window}.")
    return _json(visible_receipt(receipt, context.user))


def _json(answer: msgspec.Struct) -> Response:
    return Response(msgspec.json.encode(answer), media_type="application/json")
