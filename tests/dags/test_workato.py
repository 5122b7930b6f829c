"""Connections of type `workato` as Airflow knows them, and whole runs with accounts whose source is the platform's
API.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from job_history_airflow.hooks.workato import WorkatoHook
from simulators.workato import Fault, LocalWorkato, Partner, Workspace, local_workato, workspaces_of

from .conftest import HOUR_END, World
from .test_replication_run import FINISHED, of_run, run

START = "2018-05-21T00:00:00Z"
TOKEN = "CANARY-token-0123456789abcdef"
FORM = """
import json
from airflow.providers_manager import ProvidersManager
[form] = [form for form in ProvidersManager().iter_connection_type_hook_ui_metadata() if form.connection_type == "workato"]
print(json.dumps([form.hook_name, form.hook_class_name, form.field_behaviour["hidden_fields"]]))
"""  # noqa: E501
# Above what a run of the sample needs, so that no test waits for its budget.
PLENTY = json.dumps({"requests_per_minute": 100_000})


def connection(api: LocalWorkato, **fields: str) -> dict[str, str]:
    return {"conn_type": "workato", "host": api.url, "password": TOKEN, "extra": PLENTY, **fields}


@pytest.fixture
def api(job_store: Path) -> Iterator[LocalWorkato]:
    """The workspace of account 5235, and those of all accounts as the customers of a partner."""
    served = workspaces_of(job_store)
    [globex] = [workspace for workspace in served if workspace.user_id == 5235]
    own = Workspace(user_id=5235, name=globex.name, jobs=globex.jobs, recipes=globex.recipes, token=TOKEN)
    partner = Partner(user_id=1, customers=served, token=TOKEN + "-partner")
    with local_workato(
        workspaces=[own], partners=[partner], now=HOUR_END.replace(minute=10), direct_limit=None, partner_limit=None
    ) as running:
        yield running


@pytest.fixture
def hook(api: LocalWorkato, airflow_home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def hook(conn_id: str = "acme_workato", managed_user_id: str | None = None, **fields: str) -> WorkatoHook:
        monkeypatch.setenv("AIRFLOW_CONN_ACME_WORKATO", json.dumps(connection(api, **fields)))
        return WorkatoHook(conn_id, managed_user_id=managed_user_id)

    return hook


def test_the_form(airflow_home: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FORM], check=True, capture_output=True, text=True)

    assert json.loads(done.stdout.splitlines()[-1]) == [
        "Workato",
        "job_history_airflow.hooks.workato.WorkatoHook",
        ["schema", "port", "login"],
    ]


def test_connection_test_names_the_owner_of_the_token(hook: Any, api: LocalWorkato) -> None:
    assert hook().test_connection() == (True, f"The API at {api.url} accepts the token: workspace 5235, Globex.")
    assert [request.path for request in api.requests()] == ["/api/users/me"]


def test_the_test_of_a_wrong_token_shows_nothing_of_it(hook: Any, api: LocalWorkato) -> None:
    succeeded, detail = hook(password="CANARY-wrong").test_connection()

    assert (succeeded, "CANARY" in detail) == (False, False)
    assert detail.startswith(
        f"The API at {api.url}, asked for users/me, answered 401 (Unauthorized). The token is not known"
    )


@pytest.mark.parametrize(
    ("extra", "managed_user_id", "activity_log", "limit"),
    [
        ({}, None, False, ("acme_workato-direct", 60)),
        ({}, "7", False, ("acme_workato-embedded", 1_000)),
        ({}, None, True, ("acme_workato-direct-activity", 60)),
        ({}, "7", True, ("acme_workato-embedded-activity", 60)),
        ({"requests_per_minute": 600, "budget": "partner"}, "7", False, ("partner-embedded", 600)),
        ({"requests_per_minute": 600, "budget": "partner"}, "7", True, ("partner-embedded-activity", 60)),
        ({"activity_requests_per_minute": 24}, "7", True, ("acme_workato-embedded-activity", 24)),
    ],
)
def test_each_kind_of_resource_has_its_documented_rate_limit_or_the_connection_s(
    *,
    hook: Any,
    tmp_path: Path,
    extra: dict[str, Any],
    managed_user_id: str | None,
    activity_log: bool,
    limit: tuple[str, int],
) -> None:
    from job_history.storage import local_storage

    made = hook(managed_user_id=managed_user_id, extra=json.dumps(extra))
    limiter = made.shared_rate_limiter(local_storage(tmp_path), activity_log=activity_log)

    name, a_minute = limit
    assert limiter.left().endswith(f"(rate limit {name}, {a_minute:,} a minute)")


@pytest.mark.parametrize(
    ("extra", "detail"),
    [
        ({"requests_per_minute": "60"}, "requests_per_minute in the connection's extra is '60': write a whole number."),
        ({"budget": "../x"}, "budget in the connection's extra is '../x': use letters, digits and _ . -"),
        ({"rpm": 60}, "The connection's extra has unknown keys ['rpm']: known are "),
    ],
)
def test_an_extra_that_cannot_be_meant_is_refused(
    hook: Any, tmp_path: Path, extra: dict[str, Any], detail: str
) -> None:
    from job_history.errors import PermanentError
    from job_history.storage import local_storage

    with pytest.raises(PermanentError) as raised:
        hook(extra=json.dumps(extra)).shared_rate_limiter(local_storage(tmp_path))
    assert str(raised.value).startswith(detail)


def workato_account(world: World, user_id: int, name: str, **source: object) -> dict:
    return world.account(user_id, name, source={"type": "workato", "longest_job_hours": 36, **source})


def test_an_account_through_the_api_has_the_objects_that_the_job_store_would_give(
    world: World, api: LocalWorkato
) -> None:
    world.connect("globex", connection(api))
    world.accounts(workato_account(world, 5235, "Globex", conn_id="globex"))
    assert run()[0] == "success"
    through_api = world.keys()
    receipt = world.receipts()[5235, START]

    world.accounts(world.account(5235, "Globex", destination={"type": "s3", "conn_id": "s3", "bucket": world.bucket, "prefix": "sql"}))  # fmt: skip  # noqa: E501
    assert run()[0] == "success"
    both = world.keys()
    from_store = {key.removeprefix("sql/") for key in both if key.startswith("sql/")}

    assert through_api == from_store
    assert of_run(receipt) == ("complete", FINISHED[5235], 0)
    assert receipt["counted_by"] == "counters"
    assert TOKEN not in json.dumps(receipt)


@pytest.mark.promise("unrecoverable")
def test_a_window_that_the_platform_no_longer_holds_is_unrecoverable(world: World, api: LocalWorkato) -> None:
    world.connect("globex", connection(api))
    world.accounts(workato_account(world, 5235, "Globex", conn_id="globex", retention_days=90))
    assert run()[0] == "failed"

    receipt = world.receipts()[5235, START]
    assert (receipt["state"], receipt["runs"][0]["state"]) == ("unrecoverable", "unrecoverable")
    assert receipt["faults"][0].endswith(
        "begins before what the platform still holds (source.retention_days is 90). Its jobs can no longer be read; "
        "what was delivered in time is at the destination."
    )
    assert api.requests() == []


@pytest.mark.promise("unplaceable-records")
def test_jobs_whose_times_cannot_be_read_make_no_green_run(world: World, api: LocalWorkato) -> None:
    time = "some time in May"
    jobs = [{"id": f"j-{n}", "status": "succeeded", "started_at": time, "completed_at": time} for n in range(25)]
    pages = [Fault(body='{"items": []}', path="offset_job_id")] * 40
    api.script([*pages, *[Fault(body=json.dumps({"items": jobs}), path="/jobs")] * 40])
    world.connect("globex", connection(api))
    world.accounts(workato_account(world, 5235, "Globex", conn_id="globex"))

    assert run()[0] == "failed"
    receipt = world.receipts()[5235, START]
    assert receipt["state"] == "complete_with_quarantine"
    assert receipt["unplaceable"]["count"] >= 25
    assert receipt["unplaceable"]["example_form"] == "text of 16 characters"


def test_an_account_without_news_has_a_receipt_and_no_tasks(world: World, api: LocalWorkato) -> None:
    world.connect("partner", connection(api, password=TOKEN + "-partner"))
    world.accounts(
        workato_account(world, 5237, "Umbrella", conn_id="partner", managed_user_id="5237"),
        world.account(5236, "Initech"),
    )
    assert run()[0] == "success"

    receipt = world.receipts()[5237, START]
    assert (of_run(receipt), receipt["counted_by"]) == (("complete", 0, 0), "counters")
    assert {request.path.partition("?")[0] for request in api.requests()} == {"/api/managed_users/5237/recipes"}


def test_customers_of_a_partner_and_a_workspace_that_is_none(world: World, api: LocalWorkato) -> None:
    world.connect("partner", connection(api, password=TOKEN + "-partner"))
    world.accounts(
        workato_account(world, 5236, "Initech", conn_id="partner", managed_user_id="5236"),
        workato_account(world, 5237, "Umbrella", conn_id="partner", managed_user_id="EA5237"),
        workato_account(world, 5999, "Nobody", conn_id="partner", managed_user_id="5999"),
    )
    assert run()[0] == "failed"

    receipts = world.receipts()
    assert of_run(receipts[5236, START]) == ("complete", FINISHED[5236], 0)
    assert receipts[5237, START]["state"] == "complete"
    assert receipts[5999, START]["state"] == "failed"
    assert "managed_users/5999/recipes, answered 404 (Not found)" in receipts[5999, START]["faults"][0]
