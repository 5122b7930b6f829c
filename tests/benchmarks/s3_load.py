"""The load step: staged documents of 4 kB to a store that answers at once, and to one that takes 30 ms."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import cycle, islice, repeat
from pathlib import Path
from typing import Any, NamedTuple

import uvloop
from tests.benchmarks.jobs import (
    ACCESS_KEY,
    BUCKET,
    SECRET_KEY,
    account,
    airflow_environment,
    s3_connection,
    stage_documents,
    whole_window,
)
from tests.benchmarks.measuring import Work, measured
from tests.benchmarks.plot import Plot
from tests.benchmarks.raw_sockets import Object, Signer, put_all
from tests.benchmarks.sink import sink
from tests.benchmarks.table import Table, promise

from job_history.destinations import Destination
from job_history.documents.staged import StagedDocument, staged_documents
from job_history.model.slice import Slice
from job_history.pipeline.load import load
from job_history.pipeline.results import Extracted, Transformed
from job_history.storage import local_storage

USER_ID = 5234
DOCUMENT_BYTES = 4_000
IN_FLIGHT = 256
THREADS = 64
MAX_IN_MEMORY = 5_000
TOLD_DELAYS_MS = (0, 30)
PLOTTED_DELAYS_MS = (0, 10, 30, 100)
OURS = "job_history"
LOOP = "S3Hook.load_string, in a loop"
HOOK_THREADS = f"S3Hook.load_string, {THREADS} threads"
BOTO3_THREADS = f"boto3 put_object, {THREADS} threads"
LIMIT = f"limit: signed PUTs on {IN_FLIGHT} raw sockets"
STORE = "(the store alone: ready-made PUTs, unsigned)"
AGAIN = "job_history, once more"
# The promised multiples of each client's rate at 30 ms.
PROMISED_MULTIPLES = {LOOP: 100, HOOK_THREADS: 20, BOTO3_THREADS: 10, LIMIT: 0.7}

Staged = tuple[Slice, Extracted, Transformed]
Put = Callable[[StagedDocument], None]
Rates = dict[str, dict[int, float]]


class Client(NamedTuple):
    """A way to put documents; `counts` replaces the usual count at some delays (ms)."""

    name: str
    prepare: Callable[..., Work]
    usual_count: int
    counts: dict[int, int]

    def count(self, delay_ms: int) -> int:
        return self.counts.get(delay_ms, self.usual_count)


def tables(*, quick: bool) -> Iterator[Table]:
    """Yield a table for each reported delay; each client runs in its own process, ours first and again at the end."""
    ours_count, theirs_count = (10_000, 300) if quick else (40_000, 1_500)
    clients = [
        Client(OURS, deliver_with_ours, ours_count, {}),
        Client(
            LOOP,
            load_string_in_a_loop,
            theirs_count,
            {10: theirs_count // 5, 30: theirs_count // 5, 100: theirs_count // 15},
        ),
        Client(HOOK_THREADS, load_string_in_threads, theirs_count, {}),
        Client(BOTO3_THREADS, put_object_in_threads, theirs_count, {}),
        Client(LIMIT, put_on_raw_sockets, ours_count, {100: ours_count // 2}),
    ]
    at_both_ends = [Client(STORE, put_ready_made, ours_count, {}), Client(AGAIN, deliver_with_ours, ours_count, {})]
    rates: Rates = {client.name: {} for client in [*clients, *at_both_ends]}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        staging = local_storage(home / "staging")
        a_slice = whole_window(USER_ID, "bench")
        staged = (a_slice, *stage_documents(staging, a_slice, ours_count, DOCUMENT_BYTES))
        for delay_ms in TOLD_DELAYS_MS if quick else PLOTTED_DELAYS_MS:
            reported = delay_ms in TOLD_DELAYS_MS
            rows = [_row(client, delay_ms, rates, home, staged) for client in clients + at_both_ends * reported]
            if reported:
                yield Table(
                    f"Load step, documents of 4 kB, from staged files to a store that answers in {delay_ms} ms", rows
                )
    by_client = {client.name: rates[client.name] for client in clients}
    yield Table(
        "Load step: objects a second by the time that the store takes to answer",
        [{"client": name, **{f"{ms} ms": rate for ms, rate in by.items()}} for name, by in by_client.items()],
        plot=Plot("throughput-by-latency.svg", "milliseconds until the store answers", "objects a second", by_client),
    )
    at_30_ms = {name: by[30] for name, by in rates.items()}
    ours = (at_30_ms[OURS] + at_30_ms[AGAIN]) / 2
    yield Table(
        "Promises of the load step, at 30 ms",
        [
            promise(f"ours, as a multiple of {name}", ours / at_30_ms[name], at_least=multiple)
            for name, multiple in PROMISED_MULTIPLES.items()
        ],
    )


def _row(client: Client, delay_ms: int, rates: Rates, home: Path, staged: Staged) -> dict[str, Any]:
    count = client.count(delay_ms)
    with sink(home, delay_ms=delay_ms) as store:
        environment = airflow_environment(home, bench_s3=s3_connection(store))
        taken = measured(client.prepare, home, staged, count, store.port, environment=environment)
        assert store.counts()["PUT"] == count
    rate = rates[client.name][delay_ms] = count / taken.seconds
    return {
        "client": client.name,
        "objects": count,
        "objects/s": rate,
        "CPU s/1,000": taken.cpu_seconds / count * 1_000,
        "peak MB": taken.peak_bytes / 1e6,
        "ours is x": rates[OURS][delay_ms] / rate,
    }


def deliver_with_ours(home: Path, staged: Staged, count: int, _port: int) -> Work:
    from job_history_airflow.factories.destinations import s3_destination

    return deliver(s3_destination(account(USER_ID), in_flight=IN_FLIGHT, repair=False), home, staged, count)


def deliver(destination: Destination, home: Path, staged: Staged, count: int) -> Work:
    """Load staged documents by the step that the product uses."""
    a_slice, extracted, transformed = staged

    def work() -> None:
        outcome = load(
            a_slice,
            account(USER_ID),
            extracted=extracted,
            transformed=transformed,
            destination=destination,
            staging=local_storage(home / "staging"),
            ledger=local_storage(home / "ledger"),
        )
        assert outcome.delivered == count

    return work


def load_string_in_a_loop(home: Path, staged: Staged, count: int, _port: int) -> Work:
    load_string = _load_string()

    def work() -> None:
        for document in _documents(home, staged, count):
            load_string(document)

    return work


def load_string_in_threads(home: Path, staged: Staged, count: int, _port: int) -> Work:
    return _in_threads(_load_string(), home, staged, count)


def put_object_in_threads(home: Path, staged: Staged, count: int, _port: int) -> Work:
    client = _hook().get_conn()

    def put(document: StagedDocument) -> None:
        client.put_object(
            Bucket=BUCKET, Key=document.key, Body=document.content(), ContentType="application/json", IfNoneMatch="*"
        )

    return _in_threads(put, home, staged, count)


def put_on_raw_sockets(home: Path, staged: Staged, count: int, port: int) -> Work:
    """Sign and send documents that are in memory, and nothing else."""
    documents = [Object(document.key, document.content()) for document in _documents(home, staged, MAX_IN_MEMORY)]
    signer = Signer(
        host=f"127.0.0.1:{port}", bucket=BUCKET, access_key=ACCESS_KEY, secret_key=SECRET_KEY, now=datetime.now(UTC)
    )
    requests = map(signer.request, islice(cycle(documents), count))
    return lambda: uvloop.run(put_all(requests, port=port, connections=IN_FLIGHT))


def put_ready_made(_home: Path, _staged: Staged, count: int, port: int) -> Work:
    """Send one unsigned PUT again and again: the rate that store and machine reach without work in the client."""
    head = (
        f"PUT /{BUCKET}/key HTTP/1.1\r\nHost: 127.0.0.1\r\nIf-None-Match: *\r\nContent-Length: {DOCUMENT_BYTES}\r\n\r\n"
    )
    request = head.encode() + b"x" * DOCUMENT_BYTES
    return lambda: uvloop.run(put_all(repeat(request, count), port=port, connections=IN_FLIGHT))


def _hook() -> Any:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from botocore.config import Config

    # With the default of ten, threads discard most connections.
    return S3Hook("bench_s3", config=Config(max_pool_connections=THREADS))


def _load_string() -> Put:
    """As documented; `replace=True` saves the HEAD that the default makes before each PUT."""
    hook = _hook()
    hook.get_conn()
    return lambda document: hook.load_string(
        document.content().decode(), key=document.key, bucket_name=BUCKET, replace=True
    )


def _in_threads(put: Put, home: Path, staged: Staged, count: int) -> Work:
    def work() -> None:
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(put, _documents(home, staged, count)))

    return work


def _documents(home: Path, staged: Staged, count: int) -> Iterator[StagedDocument]:
    *_, transformed = staged
    return islice(staged_documents(local_storage(home / "staging"), transformed.documents_path), count)
