"""The load step to S3, Azure and Google in one run: the same documents of 4 kB, to the same store of ours.

What differs is how a request is signed (a key for S3 and Azure, a token for Google) and written down.
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks.jobs import airflow_environment, s3_connection, stage_documents, whole_window
from tests.benchmarks.measuring import Work, measured
from tests.benchmarks.s3_load import (
    DOCUMENT_BYTES,
    IN_FLIGHT,
    TOLD_DELAYS_MS,
    USER_ID,
    Staged,
    deliver,
    deliver_with_ours,
)
from tests.benchmarks.sink import sink
from tests.benchmarks.table import Table

from job_history.destinations.object_store import ObjectStoreDestination
from job_history.storage import local_storage
from job_history.storage.object_store.access import StoreAccess
from job_history.storage.object_store.container import open_container

CREDENTIALS = {
    "azure_blob": {"access_key": base64.b64encode(b"a key of a benchmark").decode(), "expires_at": None},
    "google_storage": {"token": "a-token-of-a-benchmark", "expires_at": None},
}


def tables(*, quick: bool) -> Iterator[Table]:
    """Yield a table for each delay; each store has a process of its own, S3 first and again at the end."""
    count = 10_000 if quick else 40_000
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        a_slice = whole_window(USER_ID, "bench")
        staging = local_storage(home / "staging")
        staged = (a_slice, *stage_documents(staging, a_slice, count, DOCUMENT_BYTES))
        for delay_ms in TOLD_DELAYS_MS:
            rows = [
                _row(name, kind, delay_ms, home, staged, count)
                for name, kind in (
                    ("S3", "s3"),
                    ("Azure Blob Storage", "azure_blob"),
                    ("Google Cloud Storage", "google_storage"),
                    ("S3, once more", "s3"),
                )
            ]
            yield Table(f"Load step by kind of store, documents of 4 kB, each answer after {delay_ms} ms", rows)


def _row(  # noqa: PLR0917 - what a row is about
    name: str, kind: str, delay_ms: int, home: Path, staged: Staged, count: int
) -> dict[str, object]:
    with sink(home, delay_ms=delay_ms) as store:
        if kind == "s3":
            environment = airflow_environment(home, bench_s3=s3_connection(store))
            taken = measured(deliver_with_ours, home, staged, count, store.port, environment=environment)
        else:
            environment = airflow_environment(home)
            taken = measured(deliver_to, kind, home, staged, count, store.port, environment=environment)
        assert store.counts()["PUT"] == count
    return {
        "store": name,
        "objects": count,
        "objects/s": count / taken.seconds,
        "CPU s/1,000": taken.cpu_seconds / count * 1_000,
        "peak MB": taken.peak_bytes / 1e6,
    }


def deliver_to(kind: str, home: Path, staged: Staged, count: int, port: int) -> Work:
    access = StoreAccess(
        container="bench",
        url=f"http://127.0.0.1:{port}",
        account="bench" if kind == "azure_blob" else "",
        credentials=lambda: CREDENTIALS[kind],
        mask=str,
    )
    return deliver(ObjectStoreDestination(open_container(kind, access), in_flight=IN_FLIGHT), home, staged, count)
