"""The account, the window and the jobs that the benchmarks work on."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from tests.benchmarks.sink import Sink
from tests.benchmarks.store import RunningStore

from job_history.accounts.account import Account
from job_history.model.job import JobRecord, LineRecord
from job_history.model.slice import Slice
from job_history.model.window import Window
from job_history.pipeline.results import Extracted, Transformed
from job_history.pipeline.transform import transform
from job_history.storage import Storage
from job_history.storage.staging import staged_writer
from simulators.job_store import SampleJob, SampleLine, small_jobs

BUCKET = "bench-audit"
ACCESS_KEY, SECRET_KEY = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # AWS's own examples
WINDOW = Window(datetime(2018, 5, 21, tzinfo=UTC), datetime(2018, 5, 21, 1, tzinfo=UTC))
MAX_DOCUMENT_BYTES = 40_000_000


def account(user_id: int) -> Account:
    return Account.model_validate(
        {
            "user_id": user_id,
            "name": "Bench",
            "source": {"type": "sql", "conn_id": "job_store"},
            "destination": {"type": "s3", "conn_id": "bench_s3", "bucket": BUCKET},
            "events": {"job_history": True, "line_details": True},
        }
    )


def s3_connection(store: Sink | RunningStore) -> str:
    """Return the JSON of an Airflow connection to a store."""
    return json.dumps(
        {
            "conn_type": "aws",
            "login": ACCESS_KEY,
            "password": SECRET_KEY,
            "extra": {"endpoint_url": store.url, "region_name": "us-east-1"},
        }
    )


def stage_documents(staging: Storage, a_slice: Slice, count: int, document_bytes: int) -> tuple[Extracted, Transformed]:
    """Stage documents as extract and transform do, without a database."""
    path = f"{a_slice.folder}/jobs.jsonl.zst"
    with staged_writer(staging, path) as records:
        for job in small_jobs(
            count, user_id=a_slice.user_id, start=WINDOW.start, end=WINDOW.end, document_bytes=document_bytes
        ):
            records.append(_record(job))
    extracted = Extracted(path=path, counted=count, listed=count, seconds=0)
    transformed = transform(
        a_slice,
        account(a_slice.user_id),
        extracted,
        staging=staging,
        ledger=staging,
        max_document_bytes=MAX_DOCUMENT_BYTES,
    )
    assert transformed.documents == count
    return extracted, transformed


def whole_window(user_id: int, run: str) -> Slice:
    return Slice(run=run, user_id=user_id, name="Bench", window=WINDOW, part=WINDOW)


def airflow_environment(home: Path, **connections: str) -> dict[str, str]:
    """Return the environment of a task of the benchmark's installation."""
    return {
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__JOB_HISTORY__LEDGER_PATH": str(home / "ledger"),
        "AIRFLOW__JOB_HISTORY__STAGING_PATH": str(home / "staging"),
        **{f"AIRFLOW_CONN_{name.upper()}": uri for name, uri in connections.items()},
    }


def _record(job: SampleJob) -> JobRecord:
    fields = {name: getattr(job, name) for name in JobRecord.__struct_fields__ if hasattr(job, name)}
    return JobRecord(**{**fields, "lines": [_line(line) for line in job.lines]})


def _line(line: SampleLine) -> LineRecord:
    return LineRecord(**{name: getattr(line, name) for name in LineRecord.__struct_fields__ if hasattr(line, name)})
