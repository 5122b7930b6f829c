"""Who may see and do what on the pages: Airflow's rights decide."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from job_history.ledger.receipt_files import receipt_path
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.storage import local_storage

from .conftest import HOUR, HOUR_END
from .ui import Pages, account

WINDOW = "start=2018-05-21T00:00:00Z&end=2018-05-21T01:00:00Z"
SETUP = ["/setup", "/setup/accounts/5234"]
STATUS = [
    "/status",
    f"/status/windows/5234/jobs?{WINDOW}",
    "/status/windows/5234/jobs?start=2018-05-21T00:00:00Z&end=2018-05-22T00:00:00Z",
    "/assets/style.css",
    "/api/status",
    "/openapi.json",
]
RECEIPT = f"/api/windows/5234/jobs?{WINDOW}"
FORM = "/setup/accounts/new"
GETS = [*SETUP, *STATUS, RECEIPT, FORM]
POSTS = [
    "/setup/accounts/new",
    "/setup/accounts/5234",
    "/setup/accounts/5234/pause",
    "/setup/accounts/5234/resume",
    "/setup/accounts/5234/remove",
    "/setup/preview",
    "/setup/test",
]


@pytest.mark.promise("ui-access")
def test_each_route_is_tested_here() -> None:
    from job_history_airflow.ui.app import build_app

    ids = {"user_id": "5234", "kind": "jobs", "entry_id": "5234", "name": "style.css"}
    routes = {(method, route.path.format(**ids)) for route in build_app().routes for method in route.methods}

    assert routes == {("GET", path.partition("?")[0]) for path in GETS} | {("POST", path) for path in POSTS}


@pytest.mark.promise("ui-access")
@pytest.mark.parametrize("path", GETS)
def test_without_a_token_every_page_answers_401(pages: Pages, path: str) -> None:
    pages.set_accounts([account()])

    answer = pages.anonymous().get(path)

    assert answer.status_code == 401
    assert "acme" not in answer.text.lower()


@pytest.mark.promise("ui-access")
@pytest.mark.parametrize("path", POSTS)
def test_without_a_token_nothing_can_be_posted(pages: Pages, path: str) -> None:
    pages.set_accounts([account()])

    assert pages.anonymous().post(path, {}).status_code == 401
    assert pages.accounts == [account()]


@pytest.mark.promise("ui-access")
def test_a_viewer_sees_the_status_and_not_the_settings(pages: Pages) -> None:
    pages.set_accounts([account()])
    viewer = pages.as_user("vic")

    assert {path: viewer.get(path).status_code for path in STATUS} == dict.fromkeys(STATUS, 200)
    assert {path: viewer.get(path).status_code for path in [*SETUP, FORM]} == dict.fromkeys([*SETUP, FORM], 403)


@pytest.mark.promise("ui-access")
@pytest.mark.parametrize("name", ["vic", "uma"])
@pytest.mark.parametrize("path", POSTS)
def test_saving_needs_the_right_to_edit_the_variable(pages: Pages, path: str, name: str) -> None:
    pages.set_accounts([account()])
    form = pages.as_user("ona").form("/setup/accounts/5234")

    refused = pages.as_user(name).post(path, form)

    assert (refused.status_code, pages.accounts, pages.audit_log()) == (403, [account()], [])
    assert "You may not edit the Airflow Variable job_history_accounts" in refused.text


@pytest.mark.promise("ui-access")
def test_who_may_see_the_variable_and_not_edit_it_gets_the_page_without_buttons(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    monkeypatch.setattr(SimpleAuthManager, "is_authorized_variable", lambda _, method, **_rest: method == "GET")
    pages.set_accounts([account()])

    shown = [pages.as_user("vic").get(path) for path in SETUP]

    assert [page.status_code for page in shown] == [200, 200]
    assert ["<button" in page.text for page in shown] == [False, False]
    assert "acme-audit" in shown[0].text
    assert pages.as_user("vic").get(FORM).status_code == 403


CANARIES = {
    "bucket": "canary-bucket",
    "connection": "canary_conn",
    "prefix": "canary-prefix",
    "kms key": "canary-kms-key",
    "rule": "canary.rule",
    "item list": "canary-items.parquet",
    "list elsewhere": "canary-elsewhere.parquet",
    "hash of settings": "5e771265cafe0001",
    "hash of destination": "de571265cafe0002",
}
ERROR = "canary-error"


def save_receipt(ledger: Path) -> None:
    counts = {"counted": 1, "listed": 1, "delivered": 1, "already_present": 0, "filtered": {}, "quarantined": {}}
    receipt = {
        "user_id": 5234,
        "revision": 1,
        "name": "Acme",
        "window": {"start": "2018-05-21T00:00:00Z", "end": "2018-05-21T01:00:00Z"},
        "state": "failed",
        "counts": counts,
        "gap": 0,
        "settings_hash": CANARIES["hash of settings"],
        "destination_hash": CANARIES["hash of destination"],
        "code_version": "0",
        "destination": {"type": "s3", "bucket": CANARIES["bucket"], "conn_id": CANARIES["connection"]},
        "settings_changes": [f"redaction {CANARIES['rule']}"],
        "items": [f"receipts/{CANARIES['item list']}"],
        "elsewhere": [f"receipts/{CANARIES['list elsewhere']}"],
        "example_keys": [f"{CANARIES['prefix']}/5234/jobs/1.json"],
        "faults": [ERROR],
        "runs": [
            {
                "run": "a-run",
                "finished_at": "2018-05-21T01:10:00Z",
                "state": "failed",
                "counts": counts,
                "faults": [ERROR],
            }
        ],
    }
    path = receipt_path(5234, EventKind.JOBS, Window(HOUR, HOUR_END))
    local_storage(ledger).write(path, json.dumps(receipt).encode())


def settings_with_canaries() -> list[Any]:
    usable = account(
        destination={
            "type": "s3",
            "conn_id": CANARIES["connection"],
            "bucket": CANARIES["bucket"],
            "prefix": CANARIES["prefix"],
            "server_side_encryption": "aws:kms",
            "kms_key_id": CANARIES["kms key"],
        },
        redaction=[{"path": CANARIES["rule"], "action": "drop"}],
    )
    return [usable, account(77, "Wrong", source={"type": "sql", CANARIES["connection"]: 1})]


@pytest.mark.promise("ui-access")
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_settings_are_shown_only_to_users_who_may_see_the_variable(pages: Pages, tmp_path: Path, accept: str) -> None:
    pages.set_accounts(settings_with_canaries())
    save_receipt(tmp_path / "ledger")
    query = "?until=2018-05-22T00:00:00Z"

    def canaries_seen_by(name: str) -> set[str]:
        user = pages.as_user(name)
        whole = "".join(
            user.get(
                path.replace("/status", f"/status{query}", 1) if path.endswith("/status") else path, accept=accept
            ).text
            for path in GETS
        )
        return {what for what, canary in CANARIES.items() if canary in whole}

    assert canaries_seen_by("vic") == set()
    assert canaries_seen_by("uma") == set()
    assert canaries_seen_by("ona") == set(CANARIES)


@pytest.mark.promise("ui-access")
@pytest.mark.parametrize("may_read_logs", [True, False])
def test_errors_are_shown_only_to_users_who_may_read_task_logs(
    pages: Pages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, may_read_logs: bool
) -> None:
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    monkeypatch.setattr(
        SimpleAuthManager,
        "is_authorized_dag",
        lambda _, access_entity=None, **_rest: may_read_logs or access_entity is not DagAccessEntity.TASK_LOGS,
    )
    pages.set_accounts([account()])
    save_receipt(tmp_path / "ledger")
    viewer = pages.as_user("vic")
    paths = ["/status?until=2018-05-22T00:00:00Z", "/api/status?until=2018-05-22T00:00:00Z", STATUS[1], RECEIPT]

    assert [ERROR in viewer.get(path).text for path in paths] == [may_read_logs] * len(paths)


@pytest.mark.promise("ui-access")
@pytest.mark.parametrize("hidden", ["job_store", "acme_s3", "redaction_key"])
@pytest.mark.parametrize("path", ["/setup/accounts/new", "/setup/accounts/5234", "/setup/test"])
def test_a_connection_that_the_editor_may_not_see_is_refused(
    pages: Pages, monkeypatch: pytest.MonkeyPatch, path: str, hidden: str
) -> None:
    """Saving and testing take the same right, for each connection that an account names."""
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    monkeypatch.setattr(
        SimpleAuthManager, "is_authorized_connection", lambda _, details=None, **_rest: details.conn_id != hidden
    )
    stored = [account(redaction=[])]
    pages.set_accounts(stored)
    editor = pages.as_user("ona")
    form = editor.form("/setup/accounts/5234") | {"redaction_key_conn_id": "redaction_key"}
    if path == "/setup/accounts/new":
        form |= {"user_id": "5299"}

    refused = editor.post(path, form)

    assert (refused.status_code, pages.accounts, pages.audit_log()) == (403, stored, [])
    assert "you may not use this Airflow connection" in refused.text


@pytest.mark.promise("ui-access")
@pytest.mark.parametrize("hidden", ["job_store", "acme_s3"])
def test_an_account_with_a_connection_that_the_editor_may_not_see_is_not_resumed(
    pages: Pages, monkeypatch: pytest.MonkeyPatch, hidden: str
) -> None:
    from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

    monkeypatch.setattr(
        SimpleAuthManager, "is_authorized_connection", lambda _, details=None, **_rest: details.conn_id != hidden
    )
    stored = [account(redaction=[], enabled=False)]
    pages.set_accounts(stored)
    editor = pages.as_user("ona")

    refused = editor.post("/setup/accounts/5234/resume", editor.form("/setup/accounts/5234"))

    assert (refused.status_code, pages.accounts, pages.audit_log()) == (403, stored, [])


@pytest.mark.promise("ui-safety")
def test_every_answer_forbids_scripts_of_other_sites_and_inline_scripts(pages: Pages) -> None:
    pages.set_accounts([account()])
    for path in GETS:
        page = pages.as_user("ona").get(path)
        policy = dict(rule.split(" ", 1) for rule in page.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert {policy["script-src"], policy["style-src"], policy["form-action"]} == {"'self'"}
        assert " style=" not in page.text
        assert "<script>" not in page.text
        assert " onclick=" not in page.text
