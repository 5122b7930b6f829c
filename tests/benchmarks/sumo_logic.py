"""How fast documents reach an HTTP source that is 30 ms away, beside the limits of what the vendor advises.

`python -m tests.benchmarks.sumo_logic` prints the table. The source is the local one, a process of its own, which keeps
counts only.
"""

from __future__ import annotations

import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd

from job_history.account import Account
from job_history.destinations.sumo_logic import (
    Acknowledgements,
    HttpSource,
    SumoLogicDestination,
    batches,
    endpoint_of,
)
from job_history.extract import Extracted
from job_history.http_client import one_connection
from job_history.job import JobRecord, LineRecord
from job_history.slice import Slice
from job_history.staging import staged_writer
from job_history.storage import Storage, local_storage
from job_history.transform import Transformed, staged_documents, transform
from simulators.sumo_logic import SourceProcess, source_process

LATENCY_SECONDS = 0.030
JOBS = 16_000
JOBS_ONE_BY_ONE = 100
WINDOW = {"start": "2018-05-21T00:00:00Z", "end": "2018-05-21T01:00:00Z"}


def rows(jobs: int = JOBS) -> list[dict[str, Any]]:
    """Run it all, in about ten seconds; a row for each way to send."""
    with tempfile.TemporaryDirectory() as folder, source_process(storage="counts", latency=LATENCY_SECONDS) as source:
        staging = local_storage(Path(folder))
        transformed = staged(staging, jobs)
        bytes_a_document = transformed.bytes / jobs
        limit = 1 / LATENCY_SECONDS
        return [
            {
                "way": "limit: one connection, 1 MB a request, 30 ms, nothing else",
                "documents/s": limit * 1_000_000 / bytes_a_document,
                "requests/s": limit,
                "MB/s": limit,
            },
            measured("one ready-made request of 1 MB, posted over and over", source, transformed, ready_made(staging)),
            measured("job_history: SumoLogicDestination", source, transformed, destination(staging)),
            measured("requests.Session.post, a document at a time", source, transformed, one_by_one(staging)),
        ]


def staged(staging: Storage, jobs: int) -> Transformed:
    """Stage documents of about 4 kB, as the transform task does."""
    random = Random(3)
    words = ["".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=random.randint(2, 10))) for _ in range(2_000)]

    def value(length: int) -> str:
        return f'{{"text":"{" ".join(random.choices(words, k=length))}","number":{random.random()}}}'

    slice_ = Slice(run="benchmark", user_id=5234, name="Acme", window=WINDOW, part=WINDOW)
    with staged_writer(staging, "jobs.jsonl.zst") as records:
        for number in range(jobs):
            lines = [
                LineRecord(recipe_line_number=line, adapter_name="clock", input=value(20), output=value(60))
                for line in range(6)
            ]
            moment = "2018-05-21T00:00:10Z"
            records.append(
                JobRecord(5234, 234, number, "completed", moment, moment, title=value(2), report="{}", lines=lines)
            )
    account = Account.model_validate(
        {
            "user_id": 5234,
            "name": "Acme",
            "source": {"type": "sql", "conn_id": "job_store"},
            "destination": {"type": "sumo_logic", "conn_id": "acme_sumo"},
            "events": {"job_history": True, "line_details": True},
        }
    )
    extracted = Extracted("jobs.jsonl.zst", jobs, jobs, 0)
    return transform(slice_, account, extracted, staging=staging, ledger=staging, max_document_bytes=40_000_000)


Send = Callable[[SourceProcess, Transformed], int]


def measured(way: str, source: SourceProcess, transformed: Transformed, send: Send) -> dict[str, Any]:
    """Time one way to send; `send` returns how many documents went."""
    source.reset()
    started = time.perf_counter()
    documents = send(source, transformed)
    seconds = time.perf_counter() - started
    requests = source.requests()
    assert {(request.status, request.in_flight) for request in requests} == {(200, 1)}
    return {
        "way": way,
        "documents/s": documents / seconds,
        "requests/s": len(requests) / seconds,
        "MB/s": sum(request.bytes for request in requests) / seconds / 1e6,
    }


def destination(staging: Storage) -> Send:
    def send(source: SourceProcess, transformed: Transformed) -> int:
        client = HttpSource(endpoint_of(host=None, password=source.url), one_connection())
        delivered: list[str] = []
        SumoLogicDestination(client, Acknowledgements(staging, "slice", client.endpoint, {})).deliver(
            staged_documents(staging, transformed.documents_path), lambda document, *_: delivered.append(document.key)
        )
        assert len(delivered) == transformed.documents
        return len(delivered)

    return send


def ready_made(staging: Storage) -> Send:
    """What is left once there is nothing to make: the connection, the client library and the source."""

    def send(source: SourceProcess, transformed: Transformed) -> int:
        documents = (document.content() for document in staged_documents(staging, transformed.documents_path))
        batch = next(batches(documents))
        compressor = zlib.compressobj(3, zlib.DEFLATED, 31)
        body = compressor.compress(batch.body) + compressor.flush()
        times = transformed.documents // batch.messages
        client = HttpSource(endpoint_of(host=None, password=source.url), one_connection())
        for _ in range(times):
            client.send(body)
        return times * batch.messages

    return send


def one_by_one(staging: Storage) -> Send:
    def send(source: SourceProcess, transformed: Transformed) -> int:
        with one_connection() as session:
            documents = staged_documents(staging, transformed.documents_path)
            for _, document in zip(range(JOBS_ONE_BY_ONE), documents, strict=False):
                session.post(source.url, data=document.content(), timeout=60)
        return JOBS_ONE_BY_ONE

    return send


if __name__ == "__main__":
    print(pd.DataFrame(rows()).to_string(index=False, float_format="{:,.1f}".format))
