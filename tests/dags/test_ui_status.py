"""The status page: the grid of windows, the page of a window, and the same as JSON."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from job_history.errors import QuarantineReason
from job_history.errors.catalogue import finding
from job_history.errors.code import Code
from job_history.ledger.lateness import Lateness
from job_history.ledger.quarantine import Quarantine
from job_history.ledger.receipt import Counts, Receipt, RunEntry, WindowState
from job_history.ledger.receipt_files import receipt_path
from job_history.model.event_kind import EventKind
from job_history.model.job import JobRecord
from job_history.model.slice import Slice, run_folder
from job_history.model.timestamp import format_time
from job_history.model.window import Window
from job_history.seals.unsealed import UnsealedWindow, mark_path_of
from job_history.storage import Storage, local_storage
from job_history_airflow.ui.status import replication_status
from simulators.project import ROOT

from .ui import Pages

DAY = datetime(2018, 5, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)
FIRST = Window(DAY, DAY + HOUR)
UNTIL = "until=2018-05-22T00:00:00Z"
SCRIPT = '<script>alert("1")</script>'


@pytest.fixture
def ledger(tmp_path: Path) -> Storage:
    return local_storage(tmp_path / "ledger")


def account(user_id: int, name: str, *, enabled: bool = True) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "name": name,
        "enabled": enabled,
        "source": {"type": "sql", "conn_id": "job_store"},
        "destination": {"type": "s3", "conn_id": "acme_s3", "bucket": "acme-audit"},
        "events": {"job_history": True},
    }


def save(
    ledger: Storage,
    user_id: int,
    window: Window,
    state: WindowState = WindowState.COMPLETE,
    *,
    minutes: int = 12,
    faults: tuple[str, ...] = (),
    run: str = "run-1",
    revision: int = 1,
    quarantine: tuple[str, ...] = (),
    **counts: Any,
) -> None:
    reported = Counts(**counts)
    previous = ledger.read(receipt_path(user_id, EventKind.JOBS, window, revision - 1)) if revision > 1 else None
    entry = RunEntry(run, format_time(window.end + timedelta(minutes=minutes)), state, reported, list(faults))
    receipt = Receipt(
        user_id=user_id,
        name="Acme",
        revision=revision,
        previous_sha256=None if previous is None else hashlib.sha256(previous).hexdigest(),
        window=window,
        state=state,
        counts=reported,
        gap=0,
        lateness=Lateness(found_after={"6 h": reported.late} if reported.late else {}),
        settings_hash="0" * 16,
        code_version="0.1.0",
        destination={"type": "s3", "bucket": "acme-audit"},
        faults=list(faults),
        quarantine=list(quarantine),
        runs=[entry],
    )
    ledger.write(receipt_path(user_id, EventKind.JOBS, window, revision), msgspec.json.encode(receipt))


def hour(number: int) -> Window:
    return Window(DAY + number * HOUR, DAY + (number + 1) * HOUR)


def status(pages: Pages, query: str = "", user: str = "vic") -> dict[str, Any]:
    answer = pages.as_user(user).get(f"/api/status?{UNTIL}&{query}", accept="application/json")
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.promise("ui-status")
def test_the_overview_of_a_day_is_made_from_its_receipts(pages: Pages, ledger: Storage) -> None:
    pages.set_accounts([account(5234, "Acme"), account(5239, "Vandelay", enabled=False)])
    save(ledger, 5234, hour(0), minutes=10, listed=5, delivered=4, filtered={"aborted": 1}, bytes=700)
    save(ledger, 5234, hour(1), minutes=20, listed=3, already_present=3, late=2)
    save(ledger, 5234, hour(2), WindowState.COMPLETE_WITH_QUARANTINE, minutes=90, listed=1, quarantined={"bad_id": 1})
    save(ledger, 5234, hour(3), WindowState.FAILED, faults=("no bucket",))
    save(ledger, 5234, hour(4), WindowState.UNRECOVERABLE, faults=("retention is over",))

    reported = status(pages)

    overview = reported.pop("overview")
    assert reported == {"page": 1, "pages": 1, "accounts": 2, "unsealed": 0, "faults": []}
    assert overview["columns"] == [format_time(hour(number).start) for number in range(24)]
    acme, vandelay = overview.pop("rows")
    assert [cell["state"] for cell in acme.pop("cells")] == [
        "complete",
        "late",
        "complete_with_quarantine",
        "failed",
        "unrecoverable",
        *["open"] * 19,
    ]
    assert {cell["state"] for cell in vandelay["cells"]} == {"disabled"}
    assert acme == {
        "user_id": 5234,
        "name": "Acme",
        "kind": "jobs",
        "sums": {
            "listed": 9,
            "delivered": 4,
            "already_present": 3,
            "filtered": 1,
            "quarantined": 1,
            "late": 2,
            "bytes": 700,
        },
        "lag": {"p50": 1200, "p95": 5400},
        "last_success": "2018-05-21T04:30:00Z",
        "last_error": "retention is over",
        "last_error_window": "2018-05-21T04:00:00Z",
    }
    assert overview["states"] == {
        "complete": 1,
        "late": 1,
        "complete_with_quarantine": 1,
        "open": 19,
        "failed": 1,
        "unrecoverable": 1,
        "disabled": 24,
        "waiting": 0,
    }
    assert overview["sums"] == acme["sums"]
    assert overview["throughput"] == [4, 3, *[0] * 22]
    assert overview["lateness"] == {"15 min": 0, "1 h": 0, "6 h": 2, "24 h": 0, "48 h": 0, "longer": 0}


def test_a_day_shows_its_worst_hour_and_opens_its_hours(pages: Pages, ledger: Storage) -> None:
    pages.set_accounts([account(5234, "Acme")])
    for number in range(48):
        save(ledger, 5234, hour(number), listed=1, delivered=1)
    save(ledger, 5234, hour(30), WindowState.FAILED, faults=("no bucket",))

    reported = status(pages, "span=7d&until=2018-05-23T00:00:00Z")["overview"]

    (row,) = reported["rows"]
    assert [(cell["start"], cell["end"], cell["state"], cell["listed"]) for cell in row["cells"][-2:]] == [
        ("2018-05-21T00:00:00Z", "2018-05-22T00:00:00Z", "complete", 24),
        ("2018-05-22T00:00:00Z", "2018-05-23T00:00:00Z", "failed", 23),
    ]
    assert reported["throughput"] == [0, 0, 0, 0, 0, 24, 23]
    day = pages.as_user("vic").get("/status/windows/5234/jobs?start=2018-05-22T00:00:00Z&end=2018-05-23T00:00:00Z").text
    assert day.count("start=2018-05-22T") == 24
    assert day.count("</span> failed</td>") == 1


def test_the_hour_that_has_not_ended_is_waiting(pages: Pages) -> None:
    pages.set_accounts([account(5234, "Acme")])

    cells = pages.as_user("vic").get("/api/status").json()["overview"]["rows"][0]["cells"]

    assert (cells[-1]["state"], cells[0]["state"]) == ("waiting", "open")


def test_the_page_shows_the_grid_and_links_each_cell(pages: Pages, ledger: Storage) -> None:
    pages.set_accounts([account(5234, "Acme"), account(5235, "Globex")])
    save(ledger, 5234, hour(3), listed=1234, delivered=1234)

    page = pages.as_user("vic").get(f"/status?{UNTIL}").text

    link = "/job-history/status/windows/5234/jobs?start=2018-05-21T03:00:00Z&amp;end=2018-05-21T04:00:00Z"
    assert f'class="cell complete" href="{link}" title="complete, 21 May 03:00: 1234 listed"' in page
    assert page.count('<a class="cell ') == 48
    assert page.count('<rect class="bar"') == 24
    assert "1,234" in page


def test_search_filter_and_pages(pages: Pages, ledger: Storage) -> None:
    pages.set_accounts([account(number, "Many") for number in range(1, 301)] + [account(5234, "Acme")])
    for number in range(24):
        save(ledger, 7, hour(number))

    assert [len(status(pages, f"page={page}")["overview"]["rows"]) for page in (1, 2, 3)] == [250, 51, 0]
    assert status(pages)["overview"]["states"]["open"] == 300 * 24
    assert [row["user_id"] for row in status(pages, "search=acm")["overview"]["rows"]] == [5234]
    incomplete = [
        row["user_id"] for page in (1, 2) for row in status(pages, f"show=owed&page={page}")["overview"]["rows"]
    ]
    assert incomplete == [*(number for number in range(1, 301) if number != 7), 5234]
    days = status(pages, "span=30d&page=7")
    assert (days["pages"], [row["user_id"] for row in days["overview"]["rows"]]) == (7, [5234])


@pytest.mark.parametrize("query", ["span=1y", "until=yesterday", "page=0"])
def test_an_address_with_invalid_parameters_is_refused(pages: Pages, query: str) -> None:
    assert pages.as_user("vic").get(f"/api/status?{query}").status_code == 422
    assert pages.as_user("vic").get(f"/status?{query}").status_code == 422


@pytest.mark.promise("ui-safety")
def test_a_window_shows_receipt_quarantine_and_runs_as_escaped_text(pages: Pages, ledger: Storage) -> None:
    """Ids, errors and explanations come from outside; titles and the rest of a record are not shown."""
    pages.set_accounts([account(5234, SCRIPT)])
    slice_ = Slice(run="run-1", user_id=5234, name="Acme", window=FIRST, part=FIRST)
    record = JobRecord(5234, 234, SCRIPT, "completed", None, None, title="the title " + SCRIPT)
    with Quarantine(ledger, slice_) as quarantine:
        quarantine.add_record(record, QuarantineReason.BAD_ID, f"job_id {SCRIPT} is no id")
    save(
        ledger,
        5234,
        FIRST,
        WindowState.FAILED,
        faults=(f"no bucket {SCRIPT}",),
        quarantine=tuple(quarantine.paths),
        quarantined={"bad_id": 1},
        listed=1,
    )
    path = "/status/windows/5234/jobs?start=2018-05-21T00:00:00Z&end=2018-05-21T01:00:00Z"

    page = pages.as_user("vic").get(path).text

    assert "<script>" not in page.replace('<script src="', "")
    assert page.count("job_id &lt;script&gt;alert(&#34;1&#34;)&lt;/script&gt; is no id") == 1
    assert page.count("no bucket &lt;script&gt;") >= 1
    assert "the title" not in page
    assert "not in Airflow" in page
    # Only who may start runs is offered one.
    assert "Start a run" not in page
    assert "Start a run" in pages.as_user("uma").get(path).text
    receipt = pages.as_user("vic").get(f"/api{path.removeprefix('/status')}", accept="application/json").json()
    assert (receipt["state"], receipt["counts"]["quarantined"]) == ("failed", {"bad_id": 1})


def test_a_window_shows_its_history(pages: Pages, ledger: Storage) -> None:
    pages.set_accounts([account(5234, "Acme")])
    address = f"/status/windows/5234/jobs?start={format_time(hour(0).start)}&end={format_time(hour(0).end)}"
    save(ledger, 5234, hour(0), WindowState.FAILED, faults=("no bucket",))
    assert "<h2>History</h2>" not in pages.as_user("vic").get(address).text
    save(ledger, 5234, hour(0), listed=41, delivered=41, gone=9, revision=2)
    history = pages.as_user("vic").get(address).text.partition("<h2>History</h2>")[2].partition("</table>")[0]
    assert [row.partition("</th>")[0] for row in history.split('<th scope="row">')[1:]] == ["1", "2"]
    assert '<td data-label="Gone">9</td>' in history


@pytest.mark.parametrize(("name", "sees_file"), [("ona", True), ("vic", False)])
def test_a_window_whose_receipt_is_damaged_is_shown_with_the_file_to_whom_may_see_it(
    pages: Pages, ledger: Storage, name: str, sees_file: bool
) -> None:
    pages.set_accounts([account(5234, "Acme")])
    path = receipt_path(5234, EventKind.JOBS, hour(0))
    ledger.write(path, b"{")
    address = f"/status/windows/5234/jobs?start={format_time(hour(0).start)}&end={format_time(hour(0).end)}"

    page = pages.as_user(name).get(address)

    assert (page.status_code, "cannot be" in page.text, "5234 Acme" in page.text) == (200, True, True)
    assert (path in page.text, "LEDGER_FILE_DAMAGED" in page.text) == (sees_file, sees_file)
    assert "There is no receipt" not in page.text


def test_a_window_is_shown_without_the_parts_that_cannot_be_read(pages: Pages, ledger: Storage) -> None:
    pages.set_accounts([account(5234, "Acme")])
    lost = "_control/quarantine/bad_id/5234/jobs/lost.jsonl.zst"
    for revision in (1, 2, 3, 4):
        save(ledger, 5234, hour(0), revision=revision, quarantine=(lost,))
    ledger.write(receipt_path(5234, EventKind.JOBS, hour(0), 3), b"{")
    address = f"/status/windows/5234/jobs?start={format_time(hour(0).start)}&end={format_time(hour(0).end)}"

    page = pages.as_user("ona").get(address)

    assert (page.status_code, "<h2>Counts</h2>" in page.text, "<h2>History</h2>" in page.text) == (200, True, False)
    assert all(text in page.text for text in ("LEDGER_FILE_DAMAGED", "1 of the files of quarantined records"))


def test_a_page_without_accounts_explains_why(pages: Pages, ledger: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replication_status, "ROWS_A_PAGE_BY_DAY", 1)
    pages.set_accounts([account(5, "Paused", enabled=False), account(5234, "Acme")])
    user = pages.as_user("vic")

    assert "the other pages may have some" in user.get("/status?span=7d&show=owed").text
    assert "There is no page 9" in user.get("/status?page=9").text


@pytest.mark.promise("version-1-ledger")
def test_the_pages_show_a_ledger_of_version_1(pages: Pages, ledger: Storage) -> None:
    pages.set_accounts([account(5001, "Account 5001")])
    old = ROOT / "tests" / "ledgers" / "version_1"
    for path in [path for path in old.rglob("*") if path.is_file()]:
        ledger.write(str(path.relative_to(old)), path.read_bytes())
    shown = pages.as_user("vic").get(
        f"/status/windows/5001/jobs?start={format_time(hour(1).start)}&end={format_time(hour(1).end)}"
    )
    assert (shown.status_code, "no time at all" in shown.text, "History" in shown.text) == (200, True, False)


def test_a_run_is_linked_with_the_logs_of_its_tasks(pages: Pages, ledger: Storage) -> None:
    from airflow.models import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    run_id = "manual__2018-05-21T01:10:00+00:00"
    with create_session() as session:
        session.add(DagRun(dag_id="job_history_replication", run_id=run_id, run_type="manual", run_after=DAY))
    try:
        save(ledger, 5234, FIRST, run=run_folder("job_history_replication", run_id))
        pages.set_accounts([account(5234, "Acme")])
        page = pages.as_user("vic").get("/status/windows/5234/jobs?start=2018-05-21T00:00:00Z&end=2018-05-21T01:00:00Z")
    finally:
        with create_session() as session:
            session.execute(delete(DagRun))

    assert 'href="/dags/job_history_replication/runs/manual__2018-05-21T01%3A10%3A00%2B00%3A00"' in page.text


@pytest.mark.promise("ui-status")
def test_the_json_matches_its_openapi_document(pages: Pages, ledger: Storage) -> None:
    pages.set_accounts([account(5234, "Acme"), {"user_id": 1}])
    save(ledger, 5234, FIRST, WindowState.FAILED, faults=("no bucket",), listed=1, late=1, quarantined={"bad_id": 1})
    visitor = pages.as_user("vic")
    openapi = visitor.get("/openapi.json").json()

    def checked(path: str, answer: dict[str, Any]) -> None:
        schema = openapi["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.Draft202012Validator({**schema, "components": openapi["components"]}).validate(answer)

    assert set(openapi["paths"]) == {"/api/status", "/api/windows/{user_id}/{kind}"}
    reported = status(pages, user="ona")
    assert reported["faults"] == [
        "Account 1: name is missing; source is missing; destination is missing; events is missing."
    ]
    checked("/api/status", reported)
    window = "start=2018-05-21T00:00:00Z&end=2018-05-21T01:00:00Z"
    checked("/api/windows/{user_id}/{kind}", visitor.get(f"/api/windows/5234/jobs?{window}").json())
    missing = visitor.get(f"/api/windows/5235/jobs?{window}", accept="application/json")
    assert (missing.status_code, "There is no receipt of account 5235" in missing.json()["detail"]) == (404, True)


@pytest.mark.promise("ui-access")
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
@pytest.mark.parametrize("path", ["gopher://canary-path", "{folder}/canary-path"])
def test_an_unreadable_ledger_is_an_error_that_names_the_path_only_in_the_log(  # noqa: PLR0917
    pages: Pages,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    path: str,
    accept: str,
) -> None:
    folder = tmp_path / "canary-path"
    folder.mkdir()
    folder.chmod(0o777)
    pages.set_accounts([account(5234, "Acme")])
    monkeypatch.setenv("AIRFLOW__JOB_HISTORY__LEDGER_PATH", path.format(folder=tmp_path))

    with caplog.at_level("ERROR", "job_history_airflow"):
        answer = pages.as_user("vic").get("/status", accept=accept)

    assert answer.status_code == 503
    assert "canary-path" not in answer.text
    assert "canary-path" in caplog.text


def test_errors_are_json_for_clients_that_want_json(pages: Pages) -> None:
    answer = pages.anonymous().get("/api/status", accept="application/json")

    assert (answer.status_code, json.loads(answer.text)) == (401, {"detail": "Not authenticated"})


@pytest.mark.promise("ui-operating")
def test_last_error_is_a_code_that_stays_on_one_line(pages: Pages, ledger: Storage) -> None:
    found = finding(Code.S3_NO_SUCH_BUCKET, "Account 5234 Acme, bucket acme", detail="NoSuchBucket")
    save(ledger, 5234, FIRST, WindowState.FAILED, faults=(f"load of account 5234 Acme, window {FIRST}: {found}",))
    save(ledger, 77, FIRST, minutes=20)
    pages.set_accounts([account(5234, "Acme"), account(77, "Globex")])

    page = pages.as_user("ona").get(f"/status?{UNTIL}").text

    assert '<code class="code">S3_NO_SUCH_BUCKET</code>' in page
    assert page.index('class="overview"') < page.index('class="legend"')
    assert re.search(r"05-21 01:20<br><span class=\"muted\">[0-9]+ d( [0-9]+ h)? ago", page)


def test_the_overview_counts_the_windows_that_wait_for_a_seal(pages: Pages, ledger: Storage) -> None:
    pages.set_accounts([account(5234, "Acme"), account(7, "Globex")])
    save(ledger, 5234, hour(0), listed=1, delivered=1)
    assert "Not sealed" not in pages.as_user("vic").get(f"/status?{UNTIL}").text
    for user_id, number in ((5234, 0), (5234, 1), (7, 0), (9999, 0)):
        UnsealedWindow(user_id, EventKind.JOBS, hour(number)).write(ledger)
    page = pages.as_user("vic").get(f"/status?{UNTIL}").text
    assert re.search(r"<dt>Not sealed</dt><dd[^>]*>3</dd>", page)
    assert pages.as_user("vic").get(f"/api/status?{UNTIL}&search=acme").json()["unsealed"] == 2


def test_a_window_shows_its_seal(pages: Pages, ledger: Storage) -> None:
    pages.set_accounts([account(5234, "Acme")])
    address = f"/status/windows/5234/jobs?start={format_time(hour(0).start)}&end={format_time(hour(0).end)}"
    save(ledger, 5234, hour(0), listed=1, delivered=1)
    assert "Not sealed yet." in pages.as_user("vic").get(address).text
    revision = next(path for path in ledger.paths("receipts") if path.endswith(".json"))
    ledger.write(mark_path_of(revision), b'{"seq":7,"sha256":"%s"}' % (b"ab" * 32))
    assert f"Sealed: number 7, <code>{'ab' * 32}</code>." in pages.as_user("vic").get(address).text
