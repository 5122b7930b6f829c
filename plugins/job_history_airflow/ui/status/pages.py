"""The pages "Replication status": the grid, and what is behind one of its cells."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from operator import itemgetter
from typing import Annotated

import msgspec
from fastapi import APIRouter, HTTPException, Query, Response, status

from job_history.errors import ReplicationError
from job_history.inspection.status import Standing
from job_history.ledger.quarantine import QuarantineEntry
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_store import read_receipt
from job_history.model.event_kind import EventKind
from job_history.model.timestamp import parse_time
from job_history.model.window import Window
from job_history.progress import readable_bytes
from job_history.storage import Storage
from job_history.storage.staging import staged_records
from job_history_airflow.dag_ids import REPLICATION_DAG
from job_history_airflow.ui.access import may_start_runs
from job_history_airflow.ui.request_context import Visit
from job_history_airflow.ui.status.charts import bar_chart
from job_history_airflow.ui.status.overview import WORDS, Overview
from job_history_airflow.ui.status.period import SPANS, period_of
from job_history_airflow.ui.status.replication_status import hours_of, ledger, status_page
from job_history_airflow.ui.status.runs_of_window import runs_of

router = APIRouter(prefix="/status", include_in_schema=False)

MAX_QUARANTINED_SHOWN = 20


@router.get("")
def status_grid(  # noqa: PLR0917 - each is a part of the address
    visitor: Visit,
    span: str = "24h",
    until: str | None = None,
    search: str = "",
    show: str = "all",
    page: Annotated[int, Query(ge=1)] = 1,
) -> Response:
    period = period_of(span, until, datetime.now(UTC))
    shown = status_page(visitor.session, period, search=search.strip(), owed_only=show == "owed", number=page)
    columns = [_column(start, by_day=period.by_day) for start in shown.overview.columns]
    return visitor.shown(
        "status.html",
        period=period,
        spans=SPANS,
        shown=shown,
        overview=shown.overview,
        columns=columns,
        groups=[(name, len(list(group))) for name, group in groupby(columns, key=itemgetter("group"))],
        words=WORDS,
        states=list(Standing),
        search=search.strip(),
        show=show,
        throughput=bar_chart(shown.overview.throughput, _labels(shown.overview), "documents"),
        lateness=bar_chart([*shown.overview.lateness.values()], [*shown.overview.lateness], "jobs"),
        duration=readable_duration,
        size=readable_bytes,
        now=datetime.now(UTC),
    )


@router.get("/windows/{user_id}/{kind}")
def window(visitor: Visit, user_id: int, kind: EventKind, start: str, end: str) -> Response:
    asked = requested_window(start, end)
    if asked.end - asked.start > timedelta(hours=1):
        hours = hours_of(visitor.session, user_id, kind, asked)
        return visitor.shown("day.html", user_id=user_id, kind=kind, window=asked, hours=hours, words=WORDS)
    storage = ledger()
    receipt = read_receipt(storage, user_id, kind, asked)
    stands = next(iter(hours_of(visitor.session, user_id, kind, asked)), None)
    if receipt is None and stands is None:
        raise HTTPException(
            status.HTTP_404_NOT_FOUND, f"There is no receipt of account {user_id} for {asked}, and no such account."
        )
    return visitor.shown(
        "window.html",
        user_id=user_id,
        kind=kind,
        name=receipt.name if receipt else stands.name if stands else "",
        window=asked,
        start=start,
        end=end,
        receipt=receipt,
        stands=stands,
        words=WORDS,
        runs=runs_of(visitor.session, receipt) if receipt else [],
        quarantined=quarantined_of(storage, receipt) if receipt else [],
        paths=[storage.url(path) for path in (*receipt.items, *receipt.quarantine)] if receipt else [],
        plain=msgspec.json.format(msgspec.json.encode(receipt), indent=1).decode() if receipt else "",
        dag=REPLICATION_DAG,
        may_start=may_start_runs(visitor.user),
        size=readable_bytes,
        duration=readable_duration,
    )


def requested_window(start: str, end: str) -> Window:
    """Return the window that an address names. Raises HTTPException where it names none."""
    try:
        return Window(parse_time(start), parse_time(end))
    except ValueError as fault:
        raise HTTPException(status.HTTP_422_UNPROCESSABLE_CONTENT, f"start and end make no window: {fault}.") from None


def quarantined_of(storage: Storage, receipt: Receipt) -> list[QuarantineEntry]:
    """Return the first records in quarantine. Only what is wrong with them is for the page: they are not redacted."""
    found: list[QuarantineEntry] = []
    for path in receipt.quarantine:
        try:
            found += islice(staged_records(storage, path, QuarantineEntry), MAX_QUARANTINED_SHOWN - len(found))
        except ReplicationError:
            # Deleted by hand, or by a run in this very moment: the receipt's own counts still tell of it.
            continue
    return found


def readable_duration(seconds: float | None) -> str:
    """Write seconds in the two units that fit them: `2 h 5 min`."""
    if seconds is None:
        return "-"
    if seconds < 0:
        return f"-{readable_duration(-seconds)}"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next((number for number, (count, _) in enumerate(parts) if count), 3)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count) or "0 s"


def _labels(overview: Overview) -> list[str]:
    return [_column(start, by_day=overview.by_day)["long"] for start in overview.columns]


def _column(start: str, *, by_day: bool) -> dict[str, str]:
    moment = parse_time(start)
    if by_day:
        return {"short": f"{moment:%d}", "long": f"{moment:%a %d %b}", "group": f"{moment:%b}"}
    return {"short": f"{moment:%H}", "long": f"{moment:%d %b %H:%M}", "group": f"{moment:%d %b}"}
