"""Each parameter of the pages has a limit; entries are addressed by id."""

from __future__ import annotations

import pytest

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


def test_the_toggle_names_what_the_workato_api_does_not_give(pages: Pages) -> None:
    page = pages.as_user("ona").get("/setup/accounts/new").text

    toggle = page.index('name="events.line_details"')
    note = page.index('data-kind-of="source" data-kind="workato">Workato API: its public API gives no input and output')
    assert toggle < note < page.index('name="events.admin_events"')
