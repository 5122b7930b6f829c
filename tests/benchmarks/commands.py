"""What each command of `job-history` takes, against `airflow version` in the same round.

Connections and accounts are in Airflow's database (SQLite), ledger and job store are local, the bucket is moto's.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import Measured, measured_command
from tests.benchmarks.table import Table

from job_history.model.window import Window
from simulators.job_store import demo_store
from simulators.past_hours import replicate_past_hours
from simulators.project import DAGS, PLUGINS
from simulators.s3_endpoint import S3Endpoint, local_s3

ROUNDS = 5
BUCKET = "bench"
WINDOW = Window(datetime(2018, 5, 21, 0, tzinfo=UTC), datetime(2018, 5, 21, 1, tzinfo=UTC))
HOURS = ("--since", WINDOW.start_text, "--until", WINDOW.end_text)
ACCOUNT = {
    "user_id": 5234,
    "name": "Acme",
    "source": {"type": "sql", "conn_id": "job_store"},
    "destination": {"type": "s3", "conn_id": "s3", "bucket": BUCKET},
    "events": {"job_history": True, "line_details": True},
    "redaction": [{"path": "title", "action": "mask"}],
}
KEY = "5234/jobs/234/20180521/000/000/000/000/000/000/100/5234-234-100-20180521000000-succeeded.json"
VERSION = "airflow version"


def tables(*, quick: bool) -> Iterator[Table]:
    """Commands take turns, so that all of them see the same machine."""
    with tempfile.TemporaryDirectory() as name, local_s3(Path(name)) as s3:
        folder = Path(name)
        environment = _installation(folder, s3)
        commands = _commands(folder)
        runs: dict[str, list[Measured]] = {command: [] for command in commands}
        for _ in range(2 if quick else ROUNDS):
            for command, words in commands.items():
                runs[command].append(measured_command(words, folder=folder, environment=environment))
    best = min(run.cpu_seconds for run in runs[VERSION])
    yield Table("Commands", [_row(command, measured, best) for command, measured in runs.items()])


def _row(command: str, runs: list[Measured], cpu_of_version: float) -> dict[str, Any]:
    cpu, wall = [run.cpu_seconds for run in runs], [run.seconds for run in runs]
    return {
        "command": command,
        "CPU s, best": min(cpu),
        "median": statistics.median(cpu),
        f"of `{VERSION}`": min(cpu) / cpu_of_version,
        "wall s, best": min(wall),
        "wall s, median": statistics.median(wall),
    }


def _commands(folder: Path) -> dict[str, list[str]]:
    ours = _program()
    file = str(folder / "accounts.json")
    arguments: dict[str, tuple[str, ...]] = {
        "key": (KEY,),
        "accounts validate": (file,),
        "accounts export": (),
        "accounts import": (file, "--dry-run"),
        "status": HOURS,
        "show-receipt": ("5234", WINDOW.start_text),
        "prove": (KEY,),
        "redact": HOURS,
        "verify": ("--allow-unsigned",),
        "seal": HOURS,
        "redrive": HOURS,
        "diff": HOURS,
        "check": (),
    }
    commands = {name: [ours, *name.split(), *words] for name, words in arguments.items()}
    return {VERSION: [sys.executable, "-m", "airflow", "version"], "--help": [ours, "--help"], **commands}


def _program() -> str:
    return str(Path(sys.executable).with_name("job-history"))


def _installation(folder: Path, s3: S3Endpoint) -> dict[str, str]:
    """Make an Airflow whose first hour is replicated; return its environment."""
    changed = {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__JOB_HISTORY__LEDGER_PATH": str(folder / "ledger"),
        "AIRFLOW__JOB_HISTORY__STAGING_PATH": str(folder / "staging"),
    }
    environment = {**os.environ, **changed}
    s3.create_bucket(BUCKET)
    demo_store(folder / "jobs.db", WINDOW.start, WINDOW.end)
    store = {"conn_type": "sqlite", "host": str(folder / "jobs.db")}
    written = {
        "connections": {"job_store": store, "s3": json.loads(s3.airflow_connection())},
        "variables": {"job_history_accounts": [ACCOUNT]},
        "accounts": [ACCOUNT],
    }
    for name, content in written.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    for words in (("db", "migrate"), *((name, "import", str(folder / f"{name}.json")) for name in list(written)[:2])):
        subprocess.run([sys.executable, "-m", "airflow", *words], env=environment, check=True, capture_output=True)
    replicate_past_hours(environment, [WINDOW])
    seal = [_program(), "seal", *HOURS]
    subprocess.run(seal, env=environment, check=True, capture_output=True)
    return changed
