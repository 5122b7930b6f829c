"""A stopped scheduler is noticed by a watch without Airflow, which sees only one object of a bucket."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simulators.project import ROOT

from .conftest import BUCKET, DAG_ID, HOUR, PAST_DAY, Installation, account

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

WATCH = """
import datetime, sys
sys.path.insert(0, sys.argv[1])
from job_history_verify.watch import main
now = datetime.datetime.fromisoformat(sys.argv[3])
code = main([sys.argv[2], "--fail-after", "8000d"], now=now)
assert not {"airflow", "job_history", "msgspec"} & {*sys.modules}
sys.exit(code)
"""


@pytest.mark.promise("silence")
def test_watch_fails_once_the_next_run_is_overdue_after_the_scheduler_was_stopped(
    installation: Installation, tmp_path: Path
) -> None:
    api = installation.stack.api
    installation.set_accounts([account(5234, "Acme")])
    api.unpause(DAG_ID)
    before = _status_after_a_scheduled_run(installation)
    scheduler = installation.stack.process_ids["scheduler"]
    os.kill(scheduler, signal.SIGSTOP)
    try:
        installation.s3.client().put_object(Bucket=BUCKET, Key="status.json", Body=before)
        url = installation.s3.client().generate_presigned_url(
            "get_object", Params={"Bucket": BUCKET, "Key": "status.json"}
        )
        expected = json.loads(before)["expected_by"]["replication"]

        assert _watch(url, expected, tmp_path) == 0
        assert _watch(url, expected.replace("Z", ".000001Z") if "." not in expected else expected, tmp_path) == 1
    finally:
        os.kill(scheduler, signal.SIGCONT)


@pytest.mark.promise("silence")
def test_runs_by_hand_do_not_hide_that_the_scheduled_ones_have_stopped(installation: Installation) -> None:
    api = installation.stack.api
    installation.set_accounts([account(5234, "Acme")])
    expected = json.loads(_status_after_a_scheduled_run(installation))["expected_by"]
    start = PAST_DAY + 2 * HOUR
    hour = {"window_start": f"{start:%Y-%m-%dT%H:%M:%SZ}", "window_end": f"{start + HOUR:%Y-%m-%dT%H:%M:%SZ}"}

    run = api.trigger(DAG_ID, conf=hour).dag_run_id
    assert api.wait_run(DAG_ID, run).state == "success"

    assert json.loads((installation.ledger / "_control" / "status.json").read_bytes())["expected_by"] == expected


def _status_after_a_scheduled_run(installation: Installation) -> bytes:
    path = installation.ledger / "_control" / "status.json"
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if path.exists() and json.loads(content := path.read_bytes())["expected_by"]["replication"]:
            return content
        time.sleep(1)
    raise AssertionError("no scheduled run has reported within three minutes of the first unpause")


def _watch(url: str, now: str, folder: Path) -> int:
    """Run the watch without Airflow, in a Python that has only the standard library and the watch's own package."""
    include = ROOT / "include"
    command = [sys.executable, "-I", "-S", "-c", WATCH, str(include), url, now]
    return subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=False).returncode
