"""What runs announce, at real sinks: metrics over UDP, notifications over SMTP and HTTP, asset events."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from tests.support.sinks import Metric, UdpSink, http_sink, smtp_sink, sums

from job_history.ledger.status_file import PATH, AccountStatus, Notified, Status, read_status, rewrite_status
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.pipeline.results import Plan
from job_history.pipeline.run_outcome import RunOutcome
from job_history.storage import local_storage
from job_history_airflow.announce.settings import NotifierSetting
from simulators.project import ROOT

from .conftest import HOUR_END, World, run_dag

DASHBOARD = ROOT / "deploy" / "grafana" / "job-history.json"
HTTP_NOTIFIER = {
    "notifier": "airflow.providers.http.notifications.http.HttpNotifier",
    "arguments": {
        "http_conn_id": "sink",
        "endpoint": "/hook",
        "json": {
            "text": "{{ notice.subject }}\n{{ notice.text }}",
            "action": "{{ 'resolve' if notice.resolved else 'trigger' }}",
        },
    },
}
MAIL_NOTIFIER = {
    "notifier": "airflow.providers.smtp.notifications.smtp.SmtpNotifier",
    "arguments": {
        "smtp_conn_id": "mail",
        "from_email": "airflow@example.com",
        "to": "on-call@example.com",
        "subject": "{{ notice.subject }}",
        "html_content": "<pre>{{ notice.text | e }}</pre>",
    },
}
MISSING = {"type": "s3", "conn_id": "s3", "bucket": "no-such-bucket"}


@pytest.fixture
def udp(monkeypatch: pytest.MonkeyPatch) -> Iterator[UdpSink]:
    """A StatsD server, and this process's metrics sent to it, as each task's process sends them."""
    from airflow.sdk.observability import stats
    from airflow.sdk.observability.metrics import stats_utils

    sink = UdpSink()
    for option, value in {
        "STATSD_ON": "True",
        "STATSD_HOST": "127.0.0.1",
        "STATSD_PORT": str(sink.port),
        "STATSD_INFLUXDB_ENABLED": "True",
    }.items():
        monkeypatch.setenv(f"AIRFLOW__METRICS__{option}", value)
    stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)
    yield sink
    monkeypatch.undo()
    stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)
    sink.close()


def ours(sink: UdpSink) -> list[Metric]:
    return [metric for metric in map(Metric, sink.lines()) if metric.name.startswith("job_history.")]


@pytest.mark.promise("metrics")
def test_sums_of_metrics_are_those_of_the_receipts(world: World, udp: UdpSink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__JOB_HISTORY__METRICS_ACCOUNT_TAG", "True")
    world.accounts(
        world.account(5234, "Acme"), world.account(5236, "Initech"), world.account(5235, "Lost", destination=MISSING)
    )

    assert run_dag("job_history_replication")[0] == "failed"

    metrics = ours(udp)
    receipts = list(world.receipts().values())
    expected: Counter[tuple[str, ...]] = Counter()
    for each in receipts:
        account = str(each["user_id"])
        expected["job_history.windows", account, each["state"], ""] += 1
        expected["job_history.bytes", account, "", ""] += each["counts"]["delivered_bytes"]
        for outcome in ("delivered", "already_present"):
            expected["job_history.documents", account, "", outcome] += each["counts"][outcome]
        for outcome in ("filtered", "quarantined"):
            expected["job_history.documents", account, "", outcome] += sum(each["counts"][outcome].values())
    found = sums(metrics, "account", "state", "outcome")
    counters = {"job_history.windows", "job_history.bytes", "job_history.documents"}
    assert {key: value for key, value in found.items() if key[0] in counters} == +expected
    seconds = sums([metric for metric in metrics if metric.name == "job_history.seconds"], "step")
    for step in ("extract", "transform", "load"):
        total = sum(each["seconds"].get(step, 0) for each in receipts)
        assert seconds["job_history.seconds", step] == pytest.approx(1000 * total, abs=1)
    gauges = {metric.name: metric.value for metric in metrics}
    status = read_status(local_storage(world.ledger))
    assert status is not None
    assert status.oldest_open is not None
    assert gauges["job_history.oldest_open_window_seconds"] == status.oldest_open.age_seconds


@pytest.mark.promise("metrics")
def test_each_metric_of_the_dashboard_is_one_that_a_run_emits(world: World, udp: UdpSink) -> None:
    world.accounts(world.account(5234, "Acme"))
    run_dag("job_history_replication")

    emitted = {metric.name.replace(".", "_") for metric in ours(udp)}
    shown = {
        name
        for panel in json.loads(DASHBOARD.read_text())["panels"]
        for target in panel.get("targets", [])
        for name in _names(target["expr"])
    }
    assert shown <= {f"airflow_{name}{end}" for name in emitted for end in ("", "_sum", "_count")}
    assert {name.removeprefix("airflow_").removesuffix("_sum") for name in shown} == emitted


def _names(expression: str) -> set[str]:
    return set(re.findall(r"airflow_job_history_\w+", expression))


@pytest.mark.promise("notified-once")
def test_three_failing_accounts_are_one_mail_and_one_post_and_so_is_their_recovery(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def accounts(**changes: Any) -> None:
        world.accounts(*(world.account(user_id, f"A{user_id}", **changes) for user_id in (5234, 5235, 5236)))

    with smtp_sink() as (port, mails), http_sink() as (url, posts):
        extra = {"disable_ssl": True, "disable_tls": True, "starttls": False, "ssl_context": "none"}
        world.connect("mail", {"conn_type": "smtp", "host": "127.0.0.1", "port": port, "extra": extra})
        world.connect("sink", {"conn_type": "http", "host": url})
        monkeypatch.setenv("AIRFLOW__JOB_HISTORY__NOTIFIERS", json.dumps([MAIL_NOTIFIER, HTTP_NOTIFIER]))
        accounts(destination=MISSING)
        assert run_dag("job_history_replication")[0] == "failed"
        assert (len(mails), len(posts)) == (1, 1)
        path, posted = posts[0]
        assert (path, posted["action"]) == ("/hook", "trigger")
        for named in ("5234 A5234", "5236 A5236", "5235 A5235", "S3_NO_SUCH_BUCKET", "Create the bucket", "status"):
            assert named in posted["text"]
        assert "Subject: Job history replication: 3 accounts failing" in mails[0]

        assert run_dag("job_history_replication")[0] == "failed"
        assert (len(mails), len(posts)) == (1, 1)

        accounts()
        assert run_dag("job_history_replication")[0] == "success"
        assert (len(mails), len(posts)) == (2, 2)
        assert posts[1][1]["action"] == "resolve"
        assert "RECOVERED 5234" in posts[1][1]["text"]

        assert run_dag("job_history_replication")[0] == "success"
        assert (len(mails), len(posts)) == (2, 2)


def raises(_message: dict[str, Any], **_arguments: Any) -> None:
    raise RuntimeError("the pager is away")


@pytest.mark.promise("notified-once")
@pytest.mark.parametrize("notifiers", [[{"notifier": f"{__name__}.raises"}], "no JSON", [{"notifier": "no.such.path"}]])
def test_a_notifier_that_fails_changes_no_verdict(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, notifiers: Any
) -> None:
    text = notifiers if isinstance(notifiers, str) else json.dumps(notifiers)
    monkeypatch.setenv("AIRFLOW__JOB_HISTORY__NOTIFIERS", text)
    world.accounts(world.account(5236, "Initech"), world.account(5235, "Lost", destination=MISSING))

    with caplog.at_level(logging.WARNING, "job_history_airflow"):
        state, tasks = run_dag("job_history_replication")

    assert (state, tasks["report", -1]) == ("failed", "failed")
    assert any("notifier" in record.getMessage() for record in caplog.records)
    assert {each["state"] for each in world.receipts().values()} == {"complete", "failed"}
    status = read_status(local_storage(world.ledger))
    assert status is not None
    assert not any(status.notified.values())


TAKEN: list[dict[str, Any]] = []
BROKEN: list[str] = []


def takes_or_raises(message: dict[str, Any]) -> None:
    if BROKEN:
        raise RuntimeError(BROKEN[0])
    TAKEN.append(message)


def hangs(_message: dict[str, Any]) -> None:
    time.sleep(30)


def exits(_message: dict[str, Any]) -> None:
    sys.exit("a notifier that ends the process")


@pytest.fixture
def failing_world(world: World) -> Iterator[World]:
    world.connect("sink", {"conn_type": "http", "host": "http://127.0.0.1:1"})
    world.accounts(world.account(5236, "Initech"), world.account(5235, "Lost", destination=MISSING))
    yield world
    TAKEN.clear()
    BROKEN.clear()


@pytest.mark.promise("notified-once")
def test_a_notifier_that_fails_gets_what_it_missed_and_the_others_get_nothing_twice(
    failing_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with http_sink() as (url, posts):
        failing_world.connect("sink", {"conn_type": "http", "host": url})
        both = [HTTP_NOTIFIER, {"notifier": f"{__name__}.takes_or_raises"}]
        monkeypatch.setenv("AIRFLOW__JOB_HISTORY__NOTIFIERS", json.dumps(both))
        BROKEN.append("the pager is away")
        run_dag("job_history_replication")
        assert (len(posts), TAKEN) == (1, [])

        BROKEN.clear()
        run_dag("job_history_replication")
        assert (len(posts), len(TAKEN)) == (1, 1)

        failing_world.accounts(failing_world.account(5236, "Initech"), failing_world.account(5235, "Lost"))
        BROKEN.append("the pager is away again")
        run_dag("job_history_replication")
        assert (posts[-1][1]["action"], len(TAKEN)) == ("resolve", 1)

        BROKEN.clear()
        run_dag("job_history_replication")
        assert (len(posts), [each["resolved"] for each in TAKEN]) == (2, [False, True])


@pytest.mark.promise("notified-once")
def test_what_another_run_notified_during_a_notification_is_remembered(world: World) -> None:
    """Else the recovery of that account would never be notified."""
    from job_history_airflow.announce.notifiers import notify

    now, ledger = datetime.now(UTC), local_storage(world.ledger)
    window = Window(HOUR_END - timedelta(hours=1), HOUR_END)
    account = AccountStatus(user_id=5, kind=EventKind.JOBS, open=1, oldest_open=window)
    name, old = f"{__name__}.another_run_writes", Notified(now, open=True)
    status = Status(generated_at=now, accounts={account.key: account}, notified={name: {"6": old}})
    ledger.write(PATH, msgspec.json.encode(status))
    outcome = RunOutcome("run", [Plan("run", "s3", window, [], [], whole_list=True)], [], [], now, [], status)
    setting = NotifierSetting(name, {"folder": str(world.ledger)})

    notify(outcome, {"dag_run": SimpleNamespace(run_type="scheduled")}, [setting], ledger=ledger, status_url="")  # type: ignore[typeddict-item]

    remembered = read_status(ledger)
    assert remembered is not None
    assert {key: sorted(each) for key, each in remembered.notified.items()} == {name: ["5", "77"], "another": ["78"]}


def another_run_writes(_: Any, *, folder: str) -> None:
    ledger = local_storage(Path(folder))

    def make(before: Status | None) -> Status:
        assert before is not None
        new = Notified(before.generated_at, open=True)
        before.notified = {name: {**each, "77": new} for name, each in before.notified.items()} | {
            "another": {"78": new}
        }
        return before

    rewrite_status(ledger, make)


@pytest.mark.promise("notified-once")
@pytest.mark.parametrize("notifier", ["hangs", "exits"])
def test_a_notifier_that_hangs_or_exits_holds_up_no_report_and_no_other_notifier(
    failing_world: World, monkeypatch: pytest.MonkeyPatch, notifier: str
) -> None:
    monkeypatch.setattr("job_history_airflow.announce.notifiers.SECONDS_FOR_A_NOTIFIER", 0.2)
    both = [{"notifier": f"{__name__}.{notifier}"}, {"notifier": f"{__name__}.takes_or_raises"}]
    monkeypatch.setenv("AIRFLOW__JOB_HISTORY__NOTIFIERS", json.dumps(both))

    state, tasks = run_dag("job_history_replication")

    assert (state, tasks["report", -1], len(TAKEN)) == ("failed", "failed", 1)
    status = read_status(local_storage(failing_world.ledger))
    assert status is not None
    assert list(status.notified[f"{__name__}.takes_or_raises"]) == ["5235"]
    assert not status.notified.get(f"{__name__}.{notifier}")


@pytest.mark.promise("notified-once")
@pytest.mark.parametrize("cause", ["ledger", "settings"])
def test_a_run_that_cannot_be_reported_at_all_is_notified(
    failing_world: World, monkeypatch: pytest.MonkeyPatch, cause: str
) -> None:
    monkeypatch.setenv("AIRFLOW__JOB_HISTORY__NOTIFIERS", json.dumps([{"notifier": f"{__name__}.takes_or_raises"}]))
    if cause == "ledger":
        failing_world.ledger.write_text("a file where the ledger's folder was")
    else:
        monkeypatch.setenv("AIRFLOW__JOB_HISTORY__SETTLE_MINUTES", "soon")

    assert run_dag("job_history_replication")[0] == "failed"

    [message] = TAKEN
    assert message["failing"][0]["key"].startswith("installation")
    assert {"ledger": "ledger", "settings": "settle_minutes"}[cause] in message["text"]


@pytest.mark.promise("notified-once")
def test_a_run_that_cannot_write_the_status_notifies_all_the_same(
    failing_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__JOB_HISTORY__NOTIFIERS", json.dumps([{"notifier": f"{__name__}.takes_or_raises"}]))
    newer = failing_world.ledger / "_control" / "status.json"
    newer.parent.mkdir(parents=True)
    newer.write_text('{"version": 9, "generated_at": "2018-05-21T00:00:00Z"}')

    assert run_dag("job_history_replication")[0] == "failed"

    assert [each["key"] for message in TAKEN for each in message["failing"]] == ["5235"]
    assert json.loads(newer.read_text())["version"] == 9


@pytest.mark.promise("asset-events")
def test_each_closed_window_is_one_event_of_the_asset_although_another_account_fails(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from airflow.models.asset import AssetEvent
    from airflow.utils.session import create_session
    from sqlalchemy import select

    monkeypatch.setenv("AIRFLOW__JOB_HISTORY__ASSET_EVENTS", "5234, 5235, 5236")
    world.accounts(
        world.account(5234, "Acme"),
        world.account(5238, "Hooli"),
        world.account(5236, "Initech"),
        world.account(5235, "Lost", destination=MISSING),
    )

    def keys() -> list[str]:
        with create_session() as session:
            return sorted(session.scalars(select(AssetEvent.partition_key)).all())

    state, tasks = run_dag("job_history_replication")
    assert (state, tasks["announce_windows", -1]) == ("failed", "success")
    assert keys() == ["5234/jobs/2018-05-21T00", "5236/jobs/2018-05-21T00"]

    run_dag("job_history_replication")
    assert keys() == ["5234/jobs/2018-05-21T00", "5236/jobs/2018-05-21T00"]
    hour = {"window_start": "2018-05-21T00:00:00Z", "window_end": "2018-05-21T01:00:00Z"}
    assert run_dag("job_history_replication", HOUR_END + timedelta(hours=1), mode="repair", **hour)[0] == "failed"
    assert keys() == ["5234/jobs/2018-05-21T00", "5236/jobs/2018-05-21T00"]


@pytest.mark.promise("notified-once")
def test_a_run_that_has_not_ended_by_the_deadline_is_notified(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from job_history_airflow.announce.deadline import deadline_alerts, deadline_missed

    assert deadline_alerts() == []
    monkeypatch.setenv("AIRFLOW__JOB_HISTORY__NOTIFY_DEADLINE_MINUTES", "50")
    (alert,) = deadline_alerts()
    assert alert.interval == timedelta(minutes=50)
    with http_sink() as (url, posts):
        world.connect("sink", {"conn_type": "http", "host": url})
        monkeypatch.setenv("AIRFLOW__JOB_HISTORY__NOTIFIERS", json.dumps([HTTP_NOTIFIER]))
        run = {"dag_id": "job_history_replication", "dag_run_id": "scheduled__1", "queued_at": "2018-05-21T01:10:00Z"}
        asyncio.run(deadline_missed(context={"dag_run": run}))

    ((_, posted),) = posts
    assert "job_history_replication, run scheduled__1" in posted["text"]
    assert posted["action"] == "trigger"


def test_notifiers_of_the_docs_can_be_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    import configparser
    import importlib

    from job_history_airflow.announce.settings import read_notifiers

    page = (ROOT / "docs" / "operations.md").read_text()
    config = configparser.ConfigParser(interpolation=None)
    config.read_string(page.split("```ini\n", 1)[1].split("```", 1)[0])
    monkeypatch.setenv("AIRFLOW__JOB_HISTORY__NOTIFIERS", config["job_history"]["notifiers"])

    notifiers = read_notifiers()

    assert len(notifiers) == 3
    for each in notifiers:
        module, _, name = each.notifier.rpartition(".")
        if "slack" not in module:  # its provider is not among the project's own
            getattr(importlib.import_module(module), name)(**each.arguments)
