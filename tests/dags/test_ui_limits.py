"""Each parameter of the pages has a limit; entries are addressed by id."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from job_history.errors import QuarantineReason
from job_history.ledger.quarantine import Quarantine
from job_history.ledger.receipt import Counts, Receipt, RunEntry, WindowState
from job_history.ledger.receipt_files import receipt_path
from job_history.model.event_kind import EventKind
from job_history.model.job import JobRecord
from job_history.model.slice import Slice
from job_history.model.window import Window
from job_history.storage import local_storage

from .conftest import HOUR, HOUR_END
from .ui import Pages, account

WINDOW = "/status/windows/5234/jobs"
RECEIPT = "/api/windows/5234/jobs"


@pytest.mark.promise("ui-limits")
@pytest.mark.parametrize(
    "path",
    [
        f"{WINDOW}?start=0001-01-01T00:00:00Z&end=9999-12-31T23:00:00Z",
        f"{WINDOW}?start=1990-01-01T00:00:00Z&end=2020-01-01T00:00:00Z",
        f"{WINDOW}?start=2018-05-21T00:00:00Z&end=2018-05-21T02:00:00Z",
        f"{WINDOW}?start=2018-05-21T12:00:00Z&end=2018-05-22T12:00:00Z",
        f"{WINDOW}?start=2018-05-21T01:00:00Z&end=2018-05-21T00:00:00Z",
        f"{WINDOW}?start={'2' * 10_000}&end=2018-05-21T01:00:00Z",
        f"{RECEIPT}?start=2018-05-21T00:00:00Z&end=2018-05-22T00:00:00Z",
        f"{RECEIPT}?start=9999-12-31T23:00:00Z&end=9999-12-31T23:59:59Z",
        "/status/windows/0/jobs?start=2018-05-21T00:00:00Z&end=2018-05-21T01:00:00Z",
        f"/status/windows/{10**21}/jobs?start=2018-05-21T00:00:00Z&end=2018-05-21T01:00:00Z",
        *(
            f"{page}?{query}"
            for page in ("/status", "/api/status")
            for query in (
                "until=0001-01-01T00:00:00Z",
                "until=9999-12-31T23:59:59Z",
                "until=0001-01-01T00:00:00%2B14:00",
                f"until={'2' * 10_000}",
                f"search={'x' * 10_000}",
                f"page={10**9}",
                f"page={'9' * 5_000}",
                "show=everything",
                "span=365d",
            )
        ),
    ],
    ids=lambda path: path[:70],
)
def test_a_parameter_beyond_its_limit_is_422_with_a_short_message(pages: Pages, path: str) -> None:
    pages.set_accounts([account()])

    answer = pages.as_user("vic").get(path, accept="application/json")

    assert answer.status_code == 422
    assert 20 < len(answer.json()["detail"]) < 500


@pytest.mark.promise("ui-limits")
def test_a_form_has_a_maximum_size_and_number_of_fields(pages: Pages) -> None:
    from job_history_airflow.ui.forms import MAX_BYTES, MAX_FIELDS

    pages.set_accounts([account()])
    editor = pages.as_user("ona")
    form = editor.form("/setup/accounts/5234")

    assert editor.post("/setup/accounts/5234", form | {"name": "x" * MAX_BYTES}).status_code == 413
    many = {f"field.{number}": "" for number in range(MAX_FIELDS)}
    assert editor.post("/setup/accounts/5234", form | many).status_code == 422
    assert pages.accounts == [account()]


@pytest.mark.parametrize("entry_id", ["-1", "0", "1", "5299", "entry-0000000000000000"])
@pytest.mark.parametrize("action", ["", "/pause", "/resume", "/remove"])
def test_an_address_of_no_entry_changes_nothing_and_is_not_in_the_audit_log(
    pages: Pages, entry_id: str, action: str
) -> None:
    stored = [account(), account(5235, "Globex")]
    pages.set_accounts(stored)
    editor = pages.as_user("ona")

    answer = editor.post(f"/setup/accounts/{entry_id}{action}", editor.form("/setup/accounts/5234"))

    assert answer.status_code in {404, 405, 422}
    assert (pages.accounts, pages.audit_log()) == (stored, [])


@pytest.mark.promise("ui-audit-log")
def test_of_entries_with_one_user_id_the_addressed_one_is_removed(pages: Pages) -> None:
    from job_history_airflow.ui.setup.account_entries import entry_ids

    first, second, broken = account(name="First"), account(name="Second"), {"user_id": "broken"}
    pages.set_accounts([first, second, broken])
    editor = pages.as_user("ona")
    ids = entry_ids([first, second, broken])
    assert len({*ids, "5234"}) == 4

    form = editor.form(f"/setup/accounts/{ids[1]}")
    assert editor.post(f"/setup/accounts/{ids[1]}/remove", form).status_code == 303

    assert pages.accounts == [first, broken]
    assert pages.audit_log() == [("ona", "job_history_accounts_removed", {"user_id": 5234, "entry": ids[1]})]


@pytest.mark.parametrize("user_id", ["\u0661\u0662", "12\n", "1" * 22, "-1", 1.5, None, True, [1]], ids=ascii)
def test_an_entry_has_an_address_whatever_its_user_id_is(pages: Pages, user_id: object) -> None:
    from job_history_airflow.ui.setup.account_entries import entry_ids

    pages.set_accounts([account(), {"user_id": user_id}])
    editor = pages.as_user("ona")
    [_, entry_id] = entry_ids([account(), {"user_id": user_id}])

    form = editor.form(f"/setup/accounts/{entry_id}")
    assert editor.post(f"/setup/accounts/{entry_id}/remove", form).status_code == 303
    assert pages.accounts == [account()]


def test_the_toggle_names_what_the_workato_api_does_not_give(pages: Pages) -> None:
    page = pages.as_user("ona").get("/setup/accounts/new").text

    toggle = page.index('name="events.line_details"')
    note = page.index('data-kind-of="source" data-kind="workato">Workato API: its public API gives no input and output')
    assert toggle < note < page.index('name="events.admin_events"')


@pytest.mark.promise("ui-limits")
def test_long_ids_and_errors_are_cut(pages: Pages, tmp_path: Path) -> None:
    """What a source or a store reports has no bound of its own; the whole text is in the ledger."""
    pages.set_accounts([account()])
    ledger = local_storage(tmp_path / "ledger")
    window = Window(HOUR, HOUR_END)
    slice_ = Slice(run="run-1", user_id=5234, name="Acme", window=window, part=window)
    with Quarantine(ledger, slice_) as quarantine:
        for _ in range(30):
            record = JobRecord(5234, 234, "9" * 100_000, "completed", None, None)
            quarantine.add_record(record, QuarantineReason.BAD_ID, f"job_id {'9' * 100_000} is no id")
    error = "no bucket " + "x" * 100_000
    counts = Counts(listed=30, quarantined={"bad_id": 30})
    receipt = Receipt(
        user_id=5234,
        name="Acme",
        revision=1,
        window=window,
        state=WindowState.FAILED,
        counts=counts,
        gap=0,
        settings_hash="0" * 16,
        code_version="0",
        destination={"type": "s3"},
        faults=[error],
        quarantine=list(quarantine.paths),
        runs=[RunEntry("run-1", "2018-05-21T01:10:00Z", WindowState.FAILED, counts, [error])],
    )
    ledger.write(receipt_path(5234, EventKind.JOBS, window), msgspec.json.encode(receipt))
    viewer = pages.as_user("vic")

    page = viewer.get(f"{WINDOW}?start=2018-05-21T00:00:00Z&end=2018-05-21T01:00:00Z").text.partition("<details>")[0]
    grid = viewer.get("/status?until=2018-05-22T00:00:00Z").text

    assert page.count("is no id") == 0
    assert page.count("job_id 999") == 20
    assert "no bucket xxx" in page
    assert "no bucket xxx" in grid
    assert max(len(page), len(grid)) < 60_000
