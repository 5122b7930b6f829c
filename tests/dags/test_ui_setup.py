"""The set-up page: what is saved, and what is refused."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from job_history.accounts.account import Account
from job_history.accounts.json_schema import accounts_json_schema
from job_history.accounts.variable import read_accounts
from job_history.destinations.kind import installed_kinds
from job_history.ledger.receipt import WindowState
from job_history.ledger.status_file import PATH, AccountStatus, SealHead, Status
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.storage import local_storage
from job_history_airflow.ui.setup import account_entries
from job_history_airflow.ui.setup.account_entries import read_entry
from simulators.s3_endpoint import S3Endpoint

from .ui import Pages, account, inputs

SCRIPT = '<script>alert("1")</script>'


@pytest.mark.promise("ui-audit-log")
def test_adding_an_account_is_in_the_audit_log(pages: Pages) -> None:
    editor = pages.as_user("ona")
    form = editor.form("/setup/accounts/new")

    saved = editor.post(
        "/setup/accounts/new",
        form
        | {
            "user_id": "5234",
            "name": "Acme",
            "destination.s3.conn_id": "acme_s3",
            "destination.s3.bucket": " acme-audit ",
            "source.sql.conn_id": "job_store",
        },
    )

    assert (saved.status_code, saved.headers["location"]) == (303, "/job-history/setup?done=added")
    (entry,) = pages.accounts or []
    assert entry | {"redaction": []} == {
        **account(),
        "destination": {
            "type": "s3",
            "conn_id": "acme_s3",
            "bucket": "acme-audit",
            "write_mode": "create_only",
            "checksum": "sha256",
            "requester_pays": False,
            "transport": "auto",
        },
        "redaction": [],
    }
    assert pages.audit_log() == [("ona", "job_history_accounts_added", {"user_id": 5234})]
    assert "The account was added" in editor.get("/setup?done=added").text


def test_a_change_keeps_unknown_keys_and_all_other_entries(pages: Pages) -> None:
    broken = {"user_id": "not a number", "whatever": [1, 2]}
    big = account(99999999999999999999, "Big")
    sumo = account(
        5238,
        "Hooli",
        destination={"type": "sumo_logic", "conn_id": "s", "fields": {"env": "prod"}, "new_option": 1},
    )
    pages.set_accounts([broken, sumo, big])
    editor = pages.as_user("ona")
    form = editor.form("/setup/accounts/5238")
    assert form["destination.sumo_logic.fields"] == "env=prod"

    # An option that this version does not know is an error, as it is for the DAG; it is not lost silently.
    refused = editor.post("/setup/accounts/5238", form | {"name": "Hooli Ltd"})
    assert refused.status_code == 422
    assert "unknown key &#39;destination.new_option&#39;" in refused.text

    del sumo["destination"]["new_option"]
    pages.set_accounts([broken, sumo, big])
    form = editor.form("/setup/accounts/5238") | {
        "name": "Hooli Ltd",
        "destination.sumo_logic.fields": "env=prod\nteam=a",
    }
    assert editor.post("/setup/accounts/5238", form).status_code == 303
    reported = pages.accounts or []
    assert (reported[0], reported[2]) == (broken, big)
    assert reported[1]["name"] == "Hooli Ltd"
    assert reported[1]["destination"]["fields"] == {"env": "prod", "team": "a"}
    ((owner, event, details),) = pages.audit_log()
    assert (owner, event, details["user_id"]) == ("ona", "job_history_accounts_changed", 5238)
    assert {"name", "destination"} <= set(details["fields"])


DESTINATIONS: dict[str, tuple[dict[str, Any], str]] = {
    "s3": ({"bucket": "acme-audit", "prefix": "workato"}, "acme-audit/workato via c"),
    "sumo_logic": ({"source_category": "audit/workato"}, "audit/workato via c"),
    "azure_blob": ({"container": "audit", "prefix": "workato"}, "audit/workato via c"),
    "google_storage": ({"bucket": "acme-audit"}, "acme-audit via c"),
    "splunk_hec": ({"index": "audit-index"}, "audit-index via c"),
    "datadog": ({"service": "workato"}, "workato via c"),
    "http": ({"path": "/hook"}, "/hook via c"),
}


def test_the_table_and_the_form_show_an_account_of_each_kind_of_destination(pages: Pages) -> None:
    """The table failed as soon as one account did not deliver to S3 or Sumo Logic."""
    assert DESTINATIONS.keys() == {kind.name for kind in installed_kinds()}
    accounts = [
        account(user_id, kind, destination={"type": kind, "conn_id": "c", **settings})
        for user_id, (kind, (settings, _)) in enumerate(DESTINATIONS.items(), start=1)
    ]
    pages.set_accounts(accounts)
    viewer = pages.as_user("ada")

    shown = viewer.get("/setup")

    assert shown.status_code == 200, shown.text
    for kind in installed_kinds():
        assert kind.title in shown.text
        assert DESTINATIONS[kind.name][1] in " ".join(shown.text.split())
    for user_id in range(1, len(accounts) + 1):
        assert viewer.get(f"/setup/accounts/{user_id}").status_code == 200
        assert viewer.form(f"/setup/accounts/{user_id}")["user_id"] == str(user_id)


@pytest.mark.promise("ui-audit-log")
def test_pause_resume_and_remove(pages: Pages) -> None:
    pages.set_accounts([account(), account(5235, "Globex")])
    editor = pages.as_user("ona")

    def post(action: str) -> None:
        form = editor.form("/setup/accounts/5235")
        done = editor.post(f"/setup/accounts/5235/{action}", {name: form[name] for name in ("csrf_token", "loaded")})
        assert done.status_code == 303, done.text

    post("pause")
    assert pages.accounts == [account(), account(5235, "Globex", enabled=False)]
    post("resume")
    assert pages.accounts == [account(), account(5235, "Globex")]
    post("remove")
    assert pages.accounts == [account()]
    assert pages.audit_log() == [
        ("ona", f"job_history_accounts_{action}", {"user_id": 5235, "entry": "5235"})
        for action in ("paused", "resumed", "removed")
    ]


@pytest.mark.promise("ui-settings")
@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"user_id": "Acme"}, "must be a whole number"),
        ({"user_id": ""}, "user_id is missing"),
        ({"user_id": "5235"}, "user_id 5235 is there more than once"),
        ({"destination.s3.bucket": "No_Bucket"}, "not a legal bucket name"),
        ({"destination.s3.prefix": "/audit"}, "none at the ends"),
        ({"destination.s3.conn_id": ""}, "destination.conn_id is missing"),
        ({"events.job_history": "", "events.line_details": "on"}, "line_details needs job_history"),
        ({"destination.type": "sumo_logic"}, "destination.conn_id is missing"),
        ({"name": ""}, "name is missing"),
        ({"name": "x" * 101}, "at most 100 characters"),
    ],
)
def test_a_wrong_value_is_refused_with_the_message_of_the_dag(
    pages: Pages, changes: dict[str, str], detail: str
) -> None:
    pages.set_accounts([account(), account(5235, "Globex")])
    editor = pages.as_user("ona")

    refused = editor.post("/setup/accounts/5234", editor.form("/setup/accounts/5234") | changes)

    assert refused.status_code == 422
    assert detail in refused.text
    assert pages.accounts == [account(), account(5235, "Globex")]
    entered = {name: value for name, value in changes.items() if value}
    assert entered.items() <= inputs(refused.text).items()


@pytest.mark.promise("ui-safety")
@pytest.mark.parametrize("token", ["", "rubbish", "of another user"])
def test_a_form_without_the_users_own_token_is_refused(pages: Pages, token: str) -> None:
    pages.set_accounts([account()])
    form = pages.as_user("ona").form("/setup/accounts/5234")
    if token == "of another user":
        token = pages.as_user("ada").form("/setup/accounts/5234")["csrf_token"]

    refused = pages.as_user("ona").post("/setup/accounts/5234", form | {"name": "Other", "csrf_token": token})

    assert (refused.status_code, pages.accounts) == (403, [account()])
    assert "This form is too old, or not from this page" in refused.text


@pytest.mark.promise("ui-concurrent-edits")
def test_the_second_of_two_concurrent_editors_sees_what_the_first_saved(pages: Pages) -> None:
    pages.set_accounts([account(5230, "First"), account()])
    ada, ona = pages.as_user("ada"), pages.as_user("ona")
    adas, onas = ada.form("/setup/accounts/5234"), ona.form("/setup/accounts/5234")
    first = ada.form("/setup/accounts/5230")
    assert ada.post("/setup/accounts/5234", adas | {"name": "Acme of Ada"}).status_code == 303
    first["loaded"] = ada.form("/setup/accounts/5230")["loaded"]
    assert ada.post("/setup/accounts/5230/remove", first).status_code == 303

    conflict = ona.post("/setup/accounts/5234", onas | {"name": "Acme of Ona"})

    assert conflict.status_code == 409
    assert "Another user saved the accounts since you opened this page" in conflict.text
    assert "&#34;name&#34;: &#34;Acme of Ada&#34;" in conflict.text
    assert [entry["name"] for entry in pages.accounts or []] == ["Acme of Ada"]
    # What was entered is still there, and can be saved.
    again = inputs(conflict.text)
    assert again["name"] == "Acme of Ona"
    assert 'action="/job-history/setup/accounts/5234"' in conflict.text
    assert ona.post("/setup/accounts/5234", again).status_code == 303
    assert [entry["name"] for entry in pages.accounts or []] == ["Acme of Ona"]


@pytest.mark.promise("ui-concurrent-edits")
def test_of_two_saves_at_the_same_moment_only_one_succeeds(pages: Pages) -> None:
    """Both have compared before either writes: the database itself decides."""
    from airflow.utils.session import create_session

    from job_history_airflow.accounts_variable import SavedMeanwhileError, read_stored, replace_entries

    for accounts in ([account()], None):
        pages.clear()
        if accounts is not None:
            pages.set_accounts(accounts)
        with create_session() as session:
            stored = read_stored(session)
        with create_session() as session:
            replace_entries(session, stored, [account(1, "One")])
        with create_session() as session, pytest.raises(SavedMeanwhileError):
            replace_entries(session, stored, [account(2, "Two")])
        assert [entry["name"] for entry in pages.accounts or []] == ["One"]


@pytest.mark.promise("ui-safety")
def test_a_stored_script_is_shown_as_text(pages: Pages) -> None:
    pages.set_accounts([account(name=SCRIPT), {"user_id": SCRIPT, "name": SCRIPT, SCRIPT: SCRIPT}])
    editor = pages.as_user("ona")
    form = editor.form("/setup/accounts/5234")
    (broken_id,) = re.findall(r"/setup/accounts/(entry-[0-9a-f]{16})/remove", editor.get("/setup").text)

    shown = [
        editor.get("/setup"),
        editor.get("/setup/accounts/5234"),
        editor.get(f"/setup/accounts/{broken_id}"),
        editor.get("/status"),
        editor.get(f"/status/windows/{SCRIPT}/jobs?start={SCRIPT}&end={SCRIPT}"),
        editor.post("/setup/accounts/5234", form | {"destination.s3.bucket": SCRIPT, "user_id": SCRIPT}),
        editor.post("/setup/preview", form),
        editor.get(f"/status?search={SCRIPT}"),
        editor.get(f"/status?until={SCRIPT}"),
        editor.get(f"/setup?done={SCRIPT}"),
    ]

    assert form["name"] == SCRIPT
    assert [page.text.lower().count("<script>") for page in shown] == [0] * len(shown)
    assert "&lt;script&gt;" in shown[0].text


def test_the_preview_is_the_key_and_the_document_of_the_feature_page(pages: Pages) -> None:
    pages.set_accounts([account()])
    editor = pages.as_user("ona")
    form = editor.form("/setup/accounts/5234")

    with_lines = editor.post("/setup/preview", form | {"destination.s3.prefix": "a/b"}).text
    without_lines = editor.post("/setup/preview", {**form, "events.line_details": ""}).text

    key = "5234/jobs/234/20180521/000/000/000/000/000/000/100/5234-234-100-20180521000000-succeeded.json"
    assert f"a/b/{key}" in with_lines
    assert "&#34;lines&#34;: [" in with_lines
    assert "&#34;lines&#34;" not in without_lines
    assert pages.accounts == [account()]


def test_test_connection_shows_the_findings_of_the_preflight(pages: Pages, s3: S3Endpoint, job_store: Path) -> None:
    pages.set_accounts([account()])
    editor = pages.as_user("ona")
    form = editor.form("/setup/accounts/5234")
    nothing_there = editor.post("/setup/test", form).text
    assert "CONNECTION_UNUSABLE" in nothing_there
    assert "Create it (Admin &gt; Connections)" in nothing_there

    s3.create_bucket("ui-audit")
    secrets = json.loads(s3.airflow_connection())
    pages.connect("acme_s3", **secrets | {"extra": json.dumps(secrets["extra"])})
    pages.connect("job_store", "sqlite", host=str(job_store))
    no_bucket = editor.post("/setup/test", form).text
    assert "S3_NO_SUCH_BUCKET" in no_bucket
    assert secrets["password"] not in no_bucket
    assert "No problem was found" in editor.post("/setup/test", form | {"destination.s3.bucket": "ui-audit"}).text
    assert "name is missing" in editor.post("/setup/test", form | {"name": ""}).text
    assert pages.accounts == [account()]


def test_redaction_rules_are_rows_and_each_error_is_shown_at_its_rule(pages: Pages) -> None:
    rules = [{"path": "report.email", "action": "drop"}, {"field": "*token*", "action": "mask"}]
    pages.set_accounts([account(redaction=rules)])
    editor = pages.as_user("ona")
    form = editor.form("/setup/accounts/5234")
    assert {name: text for name, text in form.items() if name.startswith("redaction.")} == {
        "redaction.1.form": "path",
        "redaction.1.about": "report.email",
        "redaction.1.action": "drop",
        "redaction.2.form": "field",
        "redaction.2.about": "*token*",
        "redaction.2.action": "mask",
        "redaction.3.form": "path",
        "redaction.3.about": "",
        "redaction.3.action": "drop",
    }

    # The second is emptied, the third and a fourth are new; what was left empty is no rule.
    form |= {"redaction.2.about": "", "redaction.3.about": "nowhere..", "redaction.4.form": "value"}
    form |= {"redaction.4.about": "email", "redaction.4.action": "mask"}
    refused = editor.post("/setup/accounts/5234", form)
    assert refused.status_code == 422
    assert 'id="rule-2-error"' in refused.text
    assert refused.text.count('class="field-error"') == 1
    assert "&#39;nowhere..&#39; is no JSONPath (RFC 9535)" in refused.text
    again = inputs(refused.text) | {"redaction.2.about": "report.name"}
    previewed = editor.post("/setup/preview", again).text
    assert "Ada" not in previewed.partition("<h3>Document")[2].partition("lines")[0]
    assert editor.post("/setup/accounts/5234", again).status_code == 303
    assert (pages.accounts or [])[0]["redaction"] == [
        {"path": "report.email", "action": "drop"},
        {"path": "report.name", "action": "drop"},
        {"value": "email", "action": "mask"},
    ]


def test_rules_that_do_not_fit_rows_are_shown_as_json(pages: Pages) -> None:
    rules = [{"path": "report.email", "field": "email", "action": "drop"}, 7]
    pages.set_accounts([account(redaction=rules)])
    editor = pages.as_user("ona")

    form = editor.form("/setup/accounts/5234")

    assert json.loads(form["redaction"]) == rules
    assert editor.post("/setup/accounts/5234", form).status_code == 422
    assert editor.post("/setup/accounts/5234", form | {"redaction": "[]"}).status_code == 303
    assert (pages.accounts or [])[0]["redaction"] == []


@pytest.mark.promise("ui-connections")
def test_connections_are_offered_by_type_and_visibility_without_secrets(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    pages.set_accounts([account()])
    for conn_id, conn_type in (("b1", "aws"), ("h1", "sumo_logic"), ("w1", "workato"), ("d1", "sqlite"), ("x", "http")):
        pages.connect(conn_id, conn_type, password="canary-secret", host="canary-host", extra='{"k": "canary-extra"}')

    def offered(name: str) -> dict[str, list[str]]:
        page = pages.as_user(name).get("/setup/accounts/5234").text
        assert "canary" not in page
        lists = [part for part in page.split('<datalist id="')[1:] if "-offered" in part.partition('"')[0]]
        return {
            part.partition("-offered")[0]: [option.partition('"')[0] for option in part.split('<option value="')[1:]]
            for part in (whole.partition("</datalist>")[0] for whole in lists)
        }

    assert offered("ona") == {
        "destination-s3-conn_id": ["b1"],
        "destination-sumo_logic-conn_id": ["h1"],
        "destination-azure_blob-conn_id": [],
        "destination-google_storage-conn_id": [],
        "destination-datadog-conn_id": [],
        "destination-http-conn_id": ["x"],
        "destination-splunk_hec-conn_id": [],
        "source-sql-conn_id": ["d1"],
        "source-workato-conn_id": ["w1"],
        # A key may be in a connection of any type.
        "redaction_key_conn_id": ["b1", "d1", "h1", "w1", "x"],
        "witness_conn_id": ["h1"],
    }
    # A user who may see the Variable, but no connection.
    monkeypatch.setattr(SimpleAuthManager, "is_authorized_variable", lambda *_, **_rest: True)
    assert set(map(tuple, offered("vic").values())) == {()}


def test_accounts_that_cannot_be_read_cannot_be_overwritten(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    editor = pages.as_user("ona")
    pages.set_accounts([account()])
    form = editor.form("/setup/accounts/5234")
    pages.set_accounts('{"no": "list"}')
    page = editor.get("/setup").text
    assert "is JSON, but not a list" in page
    assert "Add an account" not in page
    new = editor.form("/setup/accounts/new")
    assert editor.post("/setup/accounts/new", form | {"loaded": new["loaded"]}).status_code == 409
    assert pages.accounts_text == '{"no": "list"}'

    pages.set_accounts([account()])
    monkeypatch.setenv("AIRFLOW_VAR_JOB_HISTORY_ACCOUNTS", json.dumps([account(7, "Elsewhere")]))
    page = editor.get("/setup").text
    assert "7 Elsewhere" in page
    assert "The accounts come from EnvironmentVariablesBackend" in page
    loaded = editor.form("/setup/accounts/7")
    assert editor.post("/setup/accounts/7", loaded | {"name": "Mine"}).status_code == 409
    assert pages.accounts == [account()]


def test_the_form_has_a_field_for_each_setting_of_the_models(pages: Pages) -> None:
    from job_history_airflow.ui.setup.account_form import account_form

    form = account_form()
    shown = {field.place for field in (*form.basics, *form.events, *form.others)}
    shown |= {field.place for section in form.sections for kind in section.kinds for field in kind.fields}
    models = accounts_json_schema()["$defs"]
    settings = {name for name in models["Account"]["properties"] if name not in {"source", "destination", "events"}}
    for name in ("SqlSourceSettings", "WorkatoSourceSettings"):
        settings |= {f"source.{key}" for key in models[name]["properties"] if key != "type"}
    for name in [name for name in models if name.endswith("DestinationSettings")]:
        settings |= {f"destination.{key}" for key in models[name]["properties"] if key != "type"}
    settings |= {f"events.{key}" for key in models["Events"]["properties"]}

    assert shown == settings


@pytest.mark.promise("ui-settings")
def test_the_dag_reads_what_the_page_saves(pages: Pages) -> None:
    """Filled in and saved without a change, an account is the same account, with the same hash."""
    accounts = [
        account(redaction=[]),
        account(5235, "Globex", source={"type": "workato", "conn_id": "w", "longest_job_hours": 36}),
        account(5238, "Hooli", destination={"type": "sumo_logic", "conn_id": "s", "source_category": "audit/jobs"}),
        account(5236, "Initech", destination={"type": "s3", "conn_id": "s", "prefix": "a/b"}, enabled=False),
    ]
    pages.set_accounts(accounts)
    before = read_accounts(pages.accounts_text)
    editor = pages.as_user("ona")

    for path in (f"/setup/accounts/{entry['user_id']}" for entry in accounts):
        assert editor.post(path, editor.form(path)).status_code == 303

    assert read_accounts(pages.accounts_text) == before
    assert before.problems == []


def test_the_preview_is_redacted() -> None:
    from job_history_airflow.ui.setup.preview import preview_of

    rules = [{"value": "email", "action": "mask"}, {"path": "report.name", "action": "hash"}]
    redacting = account() | {"redaction": rules, "redaction_key_conn_id": "nowhere"}
    preview = preview_of(Account.model_validate(redacting))

    assert '"email": "***"' in preview.document
    assert '"age": 35' in preview.document
    assert "ada@example.com" not in preview.document
    assert preview.document.count("Ada Example") == 1  # in the input of a line


@pytest.mark.promise("ui-operating")
def test_list_of_accounts_shows_last_state_open_windows_and_time_since_the_last_complete_hour(
    pages: Pages, tmp_path: Path
) -> None:
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    hour = Window(end - timedelta(hours=1), end)
    known = AccountStatus(
        user_id=5234, kind=EventKind.JOBS, state=WindowState.FAILED, newest=hour, last_complete=hour, open=2
    )
    local_storage(tmp_path / "ledger").write(
        PATH, msgspec.json.encode(Status(generated_at=end, accounts={known.key: known}))
    )
    pages.set_accounts([account(), account(77, "Globex"), account(78, "Paused", enabled=False)])

    acme, globex, paused = re.findall(
        r'data-label="State">(.*?)</td>', pages.as_user("ona").get("/setup").text, re.DOTALL
    )

    assert acme.startswith("on")
    assert 'class="state failed" href="/job-history/status?search=5234"' in acme
    assert re.search(r"last complete hour 3 h( [0-9]+ min)? ago, 2 open", acme)
    assert "no run has reported yet" in globex
    assert "paused" in paused


def test_list_of_accounts_shows_admin_events_that_fail_beside_complete_jobs(pages: Pages, tmp_path: Path) -> None:
    end = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    hour = Window(end - timedelta(hours=1), end)
    earlier = Window(hour.start - timedelta(days=2), hour.end - timedelta(days=2))
    jobs, events = (
        AccountStatus(user_id=5234, kind=kind, state=state, newest=hour, last_complete=complete, open=number)
        for kind, state, complete, number in (
            (EventKind.JOBS, WindowState.COMPLETE, hour, 0),
            (EventKind.ADMIN_EVENTS, WindowState.FAILED, earlier, 3),
        )
    )
    status = Status(generated_at=end, accounts={each.key: each for each in (jobs, events)})
    local_storage(tmp_path / "ledger").write(PATH, msgspec.json.encode(status))
    pages.set_accounts([account()])

    page = pages.as_user("ona").get("/setup").text

    assert 'class="state failed"' in page
    assert re.search(r"last complete hour 2 d( 3 h)? ago, 3 open", page)


def test_list_of_accounts_names_a_status_that_cannot_be_read(pages: Pages, tmp_path: Path) -> None:
    local_storage(tmp_path / "ledger").write(PATH, b"{")
    pages.set_accounts([account()])

    page = pages.as_user("ona").get("/setup").text

    assert ("its last state cannot be read" in page, "no run has reported yet" in page) == (True, False)


@pytest.mark.promise("ui-limits")
def test_list_of_accounts_has_pages_and_reads_only_the_accounts_of_one(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_entries, "ROWS_A_PAGE", 2)
    pages.set_accounts([account(number, f"Account {number}") for number in (1, 2, 3, 31, 32)])
    read: list[int] = []

    def noting(entry: dict[str, Any], others: Counter[str]) -> object:
        read.append(entry["user_id"])
        return read_entry(entry, others)

    monkeypatch.setattr(account_entries, "read_entry", noting)
    user = pages.as_user("ona")

    def shown(query: str) -> list[str]:
        return re.findall(r"/setup/accounts/([0-9]+)\">[0-9]+ Account", user.get(f"/setup{query}").text)

    assert [shown(f"?page={page}") for page in (1, 3, 9)] == [["1", "2"], ["32"], ["32"]]
    assert (shown("?search=Account+3"), shown("?search=Account+3&page=2")) == (["3", "31"], ["32"])
    assert read == [1, 2, 32, 32, 3, 31, 32]
    assert user.get("/setup?page=0").status_code == 422


def test_account_that_is_there_twice_is_refused_on_each_page(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_entries, "ROWS_A_PAGE", 1)
    pages.set_accounts([account(5234, "One"), account(5234, "Other"), account(77, "Globex")])

    shown = [pages.as_user("ona").get(f"/setup?page={page}").text for page in (1, 2, 3)]

    assert ["more than once" in page for page in shown] == [True, True, False]


@pytest.mark.promise("ui-operating")
def test_list_of_accounts_is_searched_by_id_and_name(pages: Pages) -> None:
    pages.set_accounts([account(), account(77, "Globex")])

    found = pages.as_user("ona").get("/setup?search=glob").text

    assert "77 Globex" in found
    assert "5234 Acme" not in found
    assert "Show all 2" in found
    assert "No account matches" in pages.as_user("ona").get("/setup?search=nobody").text


@pytest.mark.promise("ui-operating")
def test_each_error_is_in_our_words_and_linked_to_its_field(pages: Pages) -> None:
    editor = pages.as_user("ona")
    refused = editor.post(
        "/setup/accounts/new",
        editor.form("/setup/accounts/new") | {"user_id": "Acme", "name": "A", "destination.s3.bucket": "No_Bucket"},
    )

    linked = re.findall(r'<li><a href="#([^"]+)">([^<]+)</a>: ([^<]+)</li>', refused.text)
    assert ("user_id", "Workspace id", "must be a whole number") in linked
    assert "destination-s3-bucket" in [field for field, _, _ in linked]
    assert [field for field, _, _ in linked if f'id="{field}"' not in refused.text] == []
    assert "should be" not in refused.text


def test_list_of_accounts_shows_who_signs_the_seals_and_their_witness(pages: Pages, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    known = [
        AccountStatus(user_id=5234, kind=EventKind.JOBS, seals=SealHead(seq=7, sha256="0" * 64, key="SHA256:abc")),
        AccountStatus(user_id=77, kind=EventKind.JOBS, seals=SealHead(seq=1, sha256="0" * 64, not_copied_since=now)),
        AccountStatus(user_id=78, kind=EventKind.JOBS),
    ]
    for each in known:
        each.state, each.newest = WindowState.COMPLETE, Window(now - timedelta(hours=1), now)
    status = Status(generated_at=now, accounts={each.key: each for each in known})
    local_storage(tmp_path / "ledger").write(PATH, msgspec.json.encode(status))
    pages.set_accounts([account(witness_conn_id="audit"), account(77, "Globex"), account(78, "Initech")])

    signed, unsigned, unsealed = re.findall(
        r'data-label="State">(.*?)</td>', pages.as_user("ona").get("/setup").text, re.DOTALL
    )

    assert "7 seals, signed by <code>SHA256:abc</code>, witness audit" in signed
    assert "1 seal, not signed, not copied since" in unsigned
    assert "no witness" in unsigned
    assert "seal" not in unsealed


def test_witness_of_another_type_is_not_saved(pages: Pages) -> None:
    for conn_id, conn_type in (("h1", "sumo_logic"), ("b1", "aws")):
        pages.connect(conn_id, conn_type, password="x")
    pages.set_accounts([account()])
    editor = pages.as_user("ona")
    form = editor.form("/setup/accounts/5234")
    refused = editor.post("/setup/accounts/5234", form | {"witness_conn_id": "b1"})
    assert (refused.status_code, pages.accounts) == (422, [account()])
    assert "is of type aws; name a connection of type sumo_logic" in refused.text
    assert editor.post("/setup/accounts/5234", form | {"witness_conn_id": "h1"}).status_code < 400
    assert pages.accounts[0]["witness_conn_id"] == "h1"
    # A connection of a secrets backend is not listed: only a run knows its type.
    form = editor.form("/setup/accounts/5234")
    assert editor.post("/setup/accounts/5234", form | {"witness_conn_id": "elsewhere"}).status_code < 400
