"""Measures the on-call table of docs/operations.md: `python -m tests.support.on_call FOLDER`.

It breaks things one by one in an Airflow of its own. From the UI's home page a headless Chromium then looks for the
account, the cause and the fix. It prints a JSON value per step, and leaves pictures in FOLDER. Clicks are those of a
person; seconds are the program's, which needs no time to read or to aim.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page
from tests.support.chromium import chromium
from tests.support.sinks import http_sink

from job_history.model.window import last_full_hour
from job_history_airflow.dag_ids import REPLICATION_DAG
from simulators.airflow_stack import AirflowStack, airflow_stack
from simulators.demo.accounts import workato_connection
from simulators.job_store import create, fill, plain_job
from simulators.postgres import local_postgres
from simulators.processes import free_port
from simulators.project import DAGS, PLUGINS
from simulators.s3_endpoint import local_s3
from simulators.workato import workato_process

BUCKET, GONE = "audit", "gone-audit"
HEALTHY, NO_BUCKET, EXPIRED, DOWN = 5234, 9001, 9002, 9003
VARIABLE = "job_history_accounts"
MAX_WAIT_SECONDS = 2_400
NOTIFIER = {
    "notifier": "airflow.providers.http.notifications.http.HttpNotifier",
    "arguments": {"http_conn_id": "pager", "endpoint": "/hook", "json": {"text": "{{ notice.text }}"}},
}


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as name,
        _installation(Path(name)) as (stack, posts),
        chromium(folder) as browser,
    ):
        on_call = OnCall(stack, posts, browser, folder)
        on_call.after_the_first_scheduled_run()
        began, run = time.monotonic(), on_call.trigger([DOWN])
        on_call.run_of_failing_accounts()
        on_call.malformed_variable()
        on_call.paused_dag()
        on_call.stopped_scheduler()
        on_call.source_that_is_down(began, run)


class OnCall:
    def __init__(self, stack: AirflowStack, posts: list[Any], browser: Browser, folder: Path) -> None:
        self.stack, self.posts, self.browser, self.folder = stack, posts, browser, folder
        self.hour = last_full_hour(datetime.now(UTC))

    def trigger(self, accounts: list[int]) -> str:
        hour = {"window_start": self.hour.start_text, "window_end": self.hour.end_text}
        return self.stack.api.trigger(REPLICATION_DAG, conf={**hour, "accounts": accounts}).dag_run_id

    def after_the_first_scheduled_run(self) -> None:
        """Its accounts are well. Each that fails is notified once, so they come later."""
        _wait(lambda: any(run.state == "success" for run in self.stack.api.runs(REPLICATION_DAG)))
        self._set_variable(json.dumps(_accounts(HEALTHY, NO_BUCKET, EXPIRED, DOWN)))

    def run_of_failing_accounts(self) -> None:
        self._notified("a bucket is gone, a key has expired", [HEALTHY, NO_BUCKET, EXPIRED], str(NO_BUCKET))
        for user_id in (NO_BUCKET, EXPIRED):
            self.look(f"account {user_id}", lambda page, each=user_id: _read_status(page, each))

    def malformed_variable(self) -> None:
        text = self.stack.api.get(f"/variables/{VARIABLE}")["value"]
        self._set_variable("[{")
        try:
            self._notified("the Variable is malformed", [HEALTHY], VARIABLE)
            self.look("malformed Variable", _read_notice)
        finally:
            self._set_variable(text)

    def paused_dag(self) -> None:
        self.stack.api.pause(REPLICATION_DAG)
        try:
            self.look("paused DAG", _read_dags)
        finally:
            self.stack.api.unpause(REPLICATION_DAG)

    def stopped_scheduler(self) -> None:
        scheduler, began = self.stack.process_ids["scheduler"], time.monotonic()
        os.kill(scheduler, signal.SIGSTOP)
        try:
            _wait(lambda: "scheduler" in self.stack.api.unhealthy_parts())
            _show("scheduler stopped", unhealthy_after_s=time.monotonic() - began)
            self.look("stopped scheduler", _read_health)
        finally:
            os.kill(scheduler, signal.SIGCONT)

    def source_that_is_down(self, began: float, run: str) -> None:
        self.look("source down, while it is tried again", _read_retries)
        _wait(lambda: any(str(DOWN) in str(post) for post in self.posts))
        _show("source down", notified_after_s=time.monotonic() - began)
        self.stack.api.wait_run(REPLICATION_DAG, run, timeout=MAX_WAIT_SECONDS)
        self.look("source down, after the run", lambda page: _read_status(page, DOWN))

    def look(self, what: str, read: Callable[[Page], dict[str, Any]]) -> None:
        """Open the UI's home page in a browser that knows nothing of it, and measure what `read` does from there."""
        context = self.browser.new_context(viewport={"width": 1280, "height": 900})
        try:
            page = context.new_page()
            page.set_default_timeout(120_000)
            began = time.monotonic()
            page.goto(self.stack.url)
            home = time.monotonic() - began
            try:
                found = read(page)
            except Exception as error:  # noqa: BLE001 - the other steps are measured all the same
                found = {"not found": str(error)[:300]}
            _show(what, home_page_s=home, **found, until_the_end_s=time.monotonic() - began)
            page.screenshot(path=self.folder / f"{what.replace(' ', '_').replace(',', '')}.png")
        finally:
            context.close()

    def _notified(self, what: str, accounts: list[int], needle: str) -> None:
        before, began = len(self.posts), time.monotonic()
        run = self.trigger(accounts)
        _wait(lambda: any(needle in str(post) for post in self.posts[before:]))
        _show(what, notified_after_s=time.monotonic() - began, message=str(self.posts[-1])[:1_500])
        self.stack.api.wait_run(REPLICATION_DAG, run, timeout=MAX_WAIT_SECONDS)

    def _set_variable(self, text: str) -> None:
        self.stack.api.patch(f"/variables/{VARIABLE}", {"key": VARIABLE, "value": text})


def _read_status(page: Page, user_id: int) -> dict[str, Any]:
    """Two clicks lead to the page, a third shows cause and fix of the account's last error."""
    frame = _status_page(page)
    row = frame.get_by_role("row").filter(has=frame.get_by_role("rowheader", name=str(user_id)))
    code = row.locator("td.error code").first
    code.wait_for()
    right = code.bounding_box()
    row.locator("td.error summary").click()
    return {
        "clicks": 3,
        "code": code.inner_text(),
        "code ends at x": right and right["x"] + right["width"],
        "text": row.locator("td.error").inner_text()[:600],
    }


def _read_notice(page: Page) -> dict[str, Any]:
    notice = _status_page(page).get_by_role("alert").first
    notice.wait_for()
    return {"clicks": 2, "text": notice.inner_text()[:600]}


def _read_dags(page: Page) -> dict[str, Any]:
    page.get_by_role("link", name="Dags", exact=True).first.click()
    page.get_by_text(REPLICATION_DAG).first.wait_for()
    page.wait_for_timeout(500)
    switches = page.locator('[role="switch"], input[type="checkbox"]').evaluate_all(
        "all => all.map(each => [each.getAttribute('aria-label') || each.id, each.checked ?? each.dataset.state])"
    )
    return {"clicks": 1, "switches": switches}


def _read_health(page: Page) -> dict[str, Any]:
    badge = page.get_by_text("Scheduler", exact=True).first
    badge.wait_for()
    page.wait_for_timeout(500)
    return {"clicks": 0, "text": page.locator("main, #root").first.inner_text()[:400]}


def _read_retries(page: Page) -> dict[str, Any]:
    """What the status page knows of an account whose tasks are tried again."""
    frame = _status_page(page)
    row = frame.get_by_role("row").filter(has=frame.get_by_role("rowheader", name=str(DOWN)))
    row.first.wait_for()
    return {"clicks": 2, "text": row.first.inner_text()[:200]}


def _status_page(page: Page) -> Any:
    page.get_by_role("button", name="Browse").first.click()
    page.get_by_role("menuitem", name="Replication status").click()
    return page.frame_locator('iframe[title="Replication status"]')


@contextmanager
def _installation(folder: Path) -> Iterator[tuple[AirflowStack, list[Any]]]:
    hour = last_full_hour(datetime.now(UTC))
    with closing(sqlite3.connect(folder / "workato.db")) as connection:
        create(connection, "sqlite")
    with (
        local_postgres(folder / "pg") as postgres,
        local_s3(folder / "logs") as s3,
        http_sink() as (pager, posts),
        workato_process(folder / "workato.db") as workato,
    ):
        s3.create_bucket(BUCKET)
        postgres.create_database("job_store")
        with postgres.psycopg_connection("job_store") as connection:
            create(connection, "postgresql")
            for user_id in (HEALTHY, NO_BUCKET):
                fill(connection, "postgresql", [plain_job(user_id, hour.start, 700 + number) for number in range(3)])
        store = json.loads(postgres.airflow_connection("job_store"))
        connections = {
            "job_store": store,
            "job_store_down": {**store, "port": free_port()},
            "s3": json.loads(s3.airflow_connection()),
            "expired": workato_connection(workato.url, "an-expired-token"),
            "pager": {"conn_type": "http", "host": pager},
        }
        with airflow_stack(
            folder / "airflow",
            dags_folder=DAGS,
            plugins_folder=PLUGINS,
            database_uri=postgres.create_database("airflow"),
            environment={
                "AIRFLOW__JOB_HISTORY__SETTLE_MINUTES": "0",
                "AIRFLOW__JOB_HISTORY__NOTIFIERS": json.dumps([NOTIFIER]),
            },
            log_directory=folder / "logs",
        ) as stack:
            for conn_id, each in connections.items():
                extra = json.dumps(each.pop("extra", {}))
                stack.api.post("/connections", {"connection_id": conn_id, **each, "extra": extra})
            stack.api.post("/variables", {"key": VARIABLE, "value": json.dumps(_accounts(HEALTHY))})
            stack.api.wait_for_dag(REPLICATION_DAG)
            stack.api.unpause(REPLICATION_DAG)
            _show("started")
            yield stack, posts


def _accounts(*user_ids: int) -> list[dict[str, Any]]:
    sql, bucket = {"type": "sql", "conn_id": "job_store"}, {"type": "s3", "conn_id": "s3", "bucket": BUCKET}
    changed: dict[int, dict[str, Any]] = {
        HEALTHY: {"name": "Acme"},
        NO_BUCKET: {"name": "No bucket", "destination": {**bucket, "bucket": GONE}},
        EXPIRED: {"name": "Expired key", "source": {"type": "workato", "conn_id": "expired"}},
        DOWN: {"name": "Source down", "source": {**sql, "conn_id": "job_store_down"}},
    }
    settings = {"source": sql, "destination": bucket, "events": {"job_history": True, "line_details": True}}
    return [{"user_id": user_id, **settings, **changed[user_id]} for user_id in user_ids]


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + MAX_WAIT_SECONDS
    while not until():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.2)


def _show(what: str, **values: Any) -> None:
    rounded = {name: round(value, 1) if isinstance(value, float) else value for name, value in values.items()}
    print(json.dumps({"at": f"{datetime.now(UTC):%H:%M:%S}", "step": what, **rounded}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
