"""The page "Replication status": the grid of windows, and the page of a window or a day."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import groupby, islice
from operator import itemgetter
from typing import Annotated, Any, Literal

import msgspec
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from fastapi import APIRouter, HTTPException, Path, Query, Response, status

from job_history.errors import PermanentError, ReplicationError
from job_history.errors.problem import parse_problem
from job_history.inspection.status import HourState
from job_history.ledger.quarantine import QuarantineEntry
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_history import read_history
from job_history.ledger.receipt_store import read_receipt
from job_history.model.event_kind import EventKind
from job_history.model.timestamp import parse_time
from job_history.model.window import HOUR
from job_history.progress import readable_bytes
from job_history.seals.mark import read_mark
from job_history.storage import Storage
from job_history.storage.staging import staged_records
from job_history_airflow.dag_ids import REPLICATION_DAG
from job_history_airflow.factories.storage import storage_at
from job_history_airflow.settings import read_settings
from job_history_airflow.ui.access import may_see_accounts, may_see_logs, may_start_runs
from job_history_airflow.ui.durations import readable_duration
from job_history_airflow.ui.request_context import ViewerRequest
from job_history_airflow.ui.status.charts import bar_chart
from job_history_airflow.ui.status.overview import WORDS, Overview
from job_history_airflow.ui.status.period import MAX_MOMENT_LENGTH, Span, requested_hours, requested_period
from job_history_airflow.ui.status.replication_status import hours_of, ledger, status_page
from job_history_airflow.ui.status.runs_of_window import runs_of
from job_history_airflow.ui.status.visibility import visible_problems, visible_receipt, visible_rows

router = APIRouter(prefix="/status", include_in_schema=False)

log = logging.getLogger(__name__)

_UNREADABLE = "A file of the ledger cannot be read. The log of Airflow's API server has the error."
MAX_QUARANTINED_SHOWN = 20
MAX_PATHS_SHOWN = 200
MAX_PAGE = 10_000
MAX_SEARCH_LENGTH = 200

UserId = Annotated[int, Path(ge=1, lt=10**21)]
Search = Annotated[str, Query(max_length=MAX_SEARCH_LENGTH, description="Part of `user_id name`.")]
Show = Annotated[Literal["all", "owed"], Query(description="`owed`: only accounts with windows that need a run.")]
PageNumber = Annotated[int, Query(ge=1, le=MAX_PAGE)]
_MOMENT: dict[str, Any] = {"max_length": MAX_MOMENT_LENGTH, "json_schema_extra": {"format": "date-time"}}
Until = Annotated[str | None, Query(description="ISO 8601; default: now.", **_MOMENT)]
WindowStart = Annotated[str, Query(description="ISO 8601: start of the window.", **_MOMENT)]
WindowEnd = Annotated[str, Query(description="ISO 8601: its end, at most an hour later.", **_MOMENT)]


@router.get("")
def status_grid(  # noqa: PLR0917 - each is a part of the address
    context: ViewerRequest,
    span: Span = Span.DAY,
    until: Until = None,
    search: Search = "",
    show: Show = "all",
    page: PageNumber = 1,
) -> Response:
    now = datetime.now(UTC)
    period = requested_period(span, until, now)
    shown = status_page(context.session, period, search=search.strip(), incomplete_only=show == "owed", number=page)
    columns = [_column(start, by_day=period.by_day) for start in shown.overview.columns]
    return context.render(
        "status.html",
        period=period,
        spans=Span,
        shown=shown,
        rows=visible_rows(shown.rows, context.user),
        problems=visible_problems(shown.problems, context.user),
        overview=shown.overview,
        columns=columns,
        groups=[(name, len(list(group))) for name, group in groupby(columns, key=itemgetter("group"))],
        words=WORDS,
        states=list(HourState),
        search=search.strip(),
        show=show,
        throughput=bar_chart(shown.overview.throughput, _labels(shown.overview), "documents"),
        lateness=bar_chart([*shown.overview.lateness.values()], [*shown.overview.lateness], "jobs"),
        duration=readable_duration,
        ago=lambda moment: readable_duration((now - parse_time(moment)).total_seconds()),
        parse_problem=parse_problem,
        size=readable_bytes,
        now=now,
    )


@router.get("/windows/{user_id}/{kind}")
def window(context: ViewerRequest, user_id: UserId, kind: EventKind, start: WindowStart, end: WindowEnd) -> Response:
    requested = requested_hours(start, end)
    hours = hours_of(context.session, user_id, kind, requested)
    if requested.end - requested.start > HOUR:
        return context.render("day.html", user_id=user_id, kind=kind, window=requested, hours=hours, words=WORDS)
    storage = ledger()
    problems: list[str] = []
    receipt = revisions = None
    with _noting_damage(problems, context.user):
        receipt = read_receipt(storage, user_id, kind, requested)
    if receipt is not None and receipt.has_history:
        with _noting_damage(problems, context.user):
            revisions = read_history(storage, user_id, kind, requested)
    if receipt is None and not hours and not problems:
        raise HTTPException(
            status.HTTP_404_NOT_FOUND, f"There is no receipt of account {user_id} for {requested}, and no such account."
        )
    name = receipt.name if receipt else hours[0].name if hours else ""
    quarantined, unread = quarantined_of(storage, receipt) if receipt and may_see_logs(context.user) else ([], 0)
    seal = None
    if receipt is not None:
        with _noting_damage(problems, context.user):
            seal = read_mark(storage, receipt)
    receipt = visible_receipt(receipt, context.user) if receipt else None
    return context.render(
        "window.html",
        user_id=user_id,
        kind=kind,
        name=name,
        window=requested,
        start=start,
        end=end,
        receipt=receipt,
        seal=seal,
        state=hours[0].state if hours else receipt.state if receipt else "",
        words=WORDS,
        runs=runs_of(context.session, receipt, storage_at(read_settings().staging_path)) if receipt else [],
        revisions=revisions or [],
        quarantined=quarantined,
        unread=unread,
        problems=problems,
        paths=[storage.url(path) for path in _files_of(receipt)[:MAX_PATHS_SHOWN]] if receipt else [],
        plain=msgspec.json.format(msgspec.json.encode(receipt), indent=1).decode() if receipt else "",
        dag=REPLICATION_DAG,
        may_start=may_start_runs(context.user),
        sees_settings=may_see_accounts(context.user),
        sees_errors=may_see_logs(context.user),
        size=readable_bytes,
        duration=readable_duration,
    )


def _files_of(receipt: Receipt) -> list[str]:
    return [*receipt.items, *receipt.elsewhere, *receipt.quarantine]


@contextmanager
def _noting_damage(problems: list[str], user: BaseUser) -> Iterator[None]:
    """Add the error about a file of the ledger; only the log has it for users who may not see its files and errors."""
    try:
        yield
    except PermanentError as damaged:
        log.warning("The page of a window lacks a part: %s", damaged)
        is_visible = may_see_accounts(user) and may_see_logs(user)
        problems.append(str(damaged) if is_visible else _UNREADABLE)


def quarantined_of(storage: Storage, receipt: Receipt) -> tuple[list[QuarantineEntry], int]:
    """Return the first quarantined records, and the number of files that cannot be read.

    The page may show only their errors: the records are not redacted.
    """
    found: list[QuarantineEntry] = []
    unread = 0
    for path in receipt.quarantine:
        try:
            found += islice(staged_records(storage, path, QuarantineEntry), MAX_QUARANTINED_SHOWN - len(found))
        except ReplicationError:
            # Deleted by hand, or by a run at this moment. The receipt still counts it.
            unread += 1
    return found, unread


def _labels(overview: Overview) -> list[str]:
    return [_column(start, by_day=overview.by_day)["long"] for start in overview.columns]


def _column(start: str, *, by_day: bool) -> dict[str, str]:
    moment = parse_time(start)
    if by_day:
        return {"short": f"{moment:%d}", "long": f"{moment:%a %d %b}", "group": f"{moment:%b}"}
    return {"short": f"{moment:%H}", "long": f"{moment:%d %b %H:%M}", "group": f"{moment:%d %b}"}
