"""How fast documents reach an HTTP source with an answer time of 30 ms: ours, the vendor's SDK, a request for each job.

The source is the local one, a process of its own, which keeps counts only.
"""

from __future__ import annotations

import tempfile
import zlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from tests.benchmarks import peers
from tests.benchmarks.measuring import Measured, Work, measured, measured_command
from tests.benchmarks.table import Table

from job_history.accounts.account import Account
from job_history.destinations.sumo_logic import (
    HttpSource,
    SumoLogicDestination,
    batches,
    endpoint_of,
    target_of,
)
from job_history.destinations.sumo_logic.encoder import SumoLogicEncoder
from job_history.documents.staged import StagedDocument, staged_documents
from job_history.http.session import http_session
from job_history.ledger.acknowledgements import Acknowledgements
from job_history.model.job import JobRecord, LineRecord
from job_history.model.slice import Slice
from job_history.model.window import Window
from job_history.pipeline.results import Extracted, Transformed
from job_history.pipeline.transform import transform
from job_history.storage import Storage, local_storage
from job_history.storage.staging import staged_writer
from simulators.sumo_logic import SourceProcess, source_process

LATENCY_SECONDS = 0.030
WINDOW = Window(datetime(2018, 5, 21, tzinfo=UTC), datetime(2018, 5, 21, 1, tzinfo=UTC))
OURS = "job_history: SumoLogicDestination"


class Way(NamedTuple):
    """A way to send the first of the staged documents to a URL."""

    name: str
    send: Callable[[Path, Transformed, int, str], Measured]
    documents: int


def tables(*, quick: bool) -> Iterator[Table]:
    """Return a row for each way to send; each runs in a process of its own."""
    jobs = 4_000 if quick else 16_000
    ways = [
        Way(OURS, lambda *what: measured(destination, *what), jobs),
        Way(
            "limit: a ready-made request of 1 MB, posted over and over", lambda *what: measured(ready_made, *what), jobs
        ),
        Way("Sumo Logic's own SDK for Python, 1 MB a request", send_with_sdk, jobs),
        Way("requests.Session.post, a document at a time", lambda *what: measured(one_by_one, *what), jobs // 40),
    ]
    with tempfile.TemporaryDirectory() as folder, source_process(storage="counts", latency=LATENCY_SECONDS) as source:
        transformed = staged(local_storage(Path(folder)), jobs)
        rows = [_row(way, Path(folder), transformed, source) for way in ways]
    for row in rows:
        row["ours is x"] = rows[0]["documents/s"] / row["documents/s"]
    yield Table("Sumo Logic, documents of 4 kB to a source that is 30 ms away", rows)


def _row(way: Way, folder: Path, transformed: Transformed, source: SourceProcess) -> dict[str, Any]:
    source.reset()
    taken = way.send(folder, transformed, way.documents, source.url)
    requests = source.requests()
    assert {(request.status, request.in_flight) for request in requests} == {(200, 1)}
    return {
        "way": way.name,
        "documents": way.documents,
        "documents/s": way.documents / taken.seconds,
        "requests/s": len(requests) / taken.seconds,
        "MB/s": sum(request.bytes for request in requests) / taken.seconds / 1e6,
        "CPU s/1,000": taken.cpu_seconds / way.documents * 1_000,
        "peak MB": taken.peak_bytes / 1e6,
    }


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


def destination(folder: Path, transformed: Transformed, documents: int, url: str) -> Work:
    staging = local_storage(folder)
    client = HttpSource(endpoint_of(host=None, password=url), http_session())
    slice_ = Slice(run="benchmark", user_id=5234, name="Acme", window=WINDOW, part=WINDOW)
    to = SumoLogicDestination(client, Acknowledgements(staging, slice_, target_of(client.endpoint, {})))

    def work() -> None:
        delivered: list[str] = []
        to.deliver(
            staged_documents(staging, transformed.documents_path), lambda document, *_: delivered.append(document.key)
        )
        assert len(delivered) == documents

    return work


def ready_made(folder: Path, transformed: Transformed, documents: int, url: str) -> Work:
    """Send ready-made requests: the connection, the client library and the source alone."""
    contents = (document.content() for document in _documents(folder, transformed, documents))
    batch = next(batches(contents, SumoLogicEncoder().framing))
    compressor = zlib.compressobj(3, zlib.DEFLATED, 31)
    body = compressor.compress(batch.body) + compressor.flush()
    client = HttpSource(endpoint_of(host=None, password=url), http_session())

    def work() -> None:
        for _ in range(-(-documents // batch.messages)):
            client.send(body)

    return work


def one_by_one(folder: Path, transformed: Transformed, documents: int, url: str) -> Work:
    session = http_session()

    def work() -> None:
        for document in _documents(folder, transformed, documents):
            session.post(url, data=document.content(), timeout=60)

    return work


def send_with_sdk(folder: Path, transformed: Transformed, documents: int, url: str) -> Measured:
    """Let it send the documents; subtract the time for a single one, which is its start-up."""
    command = peers.sumo_logic_sdk(url)

    def run(count: int) -> Measured:
        lines = folder / "documents.jsonl"
        lines.write_bytes(b"".join(document.content() for document in _documents(folder, transformed, count)))
        with lines.open("rb") as stdin:
            return measured_command(command.words, folder=folder, stdin=stdin)

    start, whole = run(1), run(documents)
    return whole._replace(seconds=whole.seconds - start.seconds, cpu_seconds=whole.cpu_seconds - start.cpu_seconds)


def _documents(folder: Path, transformed: Transformed, count: int) -> Iterator[StagedDocument]:
    return islice(staged_documents(local_storage(folder), transformed.documents_path), count)
