"""The load step: staged documents of 4 kB to a store that answers at once, and to one that takes 30 ms."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from tests.benchmarks.jobs import BUCKET, account, airflow_environment, s3_connection, stage_documents, whole_window
from tests.benchmarks.measuring import Measured, Work, measured
from tests.benchmarks.sink import sink
from tests.benchmarks.table import Table

from job_history.extract import Extracted
from job_history.load import load
from job_history.slice import Slice
from job_history.storage import local_storage
from job_history.transform import StagedDocument, Transformed, staged_documents

USER_ID = 5234
DOCUMENT_BYTES = 4_000
IN_FLIGHT = 256
THREADS = 64
DELAYS_MS = (0, 30)

Staged = tuple[Slice, Extracted, Transformed]
Put = Callable[[StagedDocument], None]


def tables(*, quick: bool) -> Iterator[Table]:
    """Give a table for each delay; each client in a process of its own, ours first and once more at the end."""
    ours_count, raw_count, theirs_count = (10_000, 20_000, 300) if quick else (40_000, 60_000, 1_500)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        staging = local_storage(home / "staging")
        a_slice = whole_window(USER_ID, "bench")
        staged = (a_slice, *stage_documents(staging, a_slice, ours_count, DOCUMENT_BYTES))
        clients: list[tuple[str, Callable[..., Work], int, dict[int, int]]] = [
            ("job_history", deliver_with_ours, ours_count, {}),
            ("S3Hook.load_string, in a loop", load_string_in_a_loop, theirs_count, {30: theirs_count // 5}),
            (f"S3Hook.load_string, {THREADS} threads", load_string_in_threads, theirs_count, {}),
            (f"boto3 put_object, {THREADS} threads", put_object_in_threads, theirs_count, {}),
            (f"(the store's own limit: ready-made PUTs, {IN_FLIGHT} sockets)", put_ready_made, raw_count, {}),
            ("job_history, once more", deliver_with_ours, ours_count, {}),
        ]
        for delay_ms in DELAYS_MS:
            ours = 0.0
            rows: list[dict[str, Any]] = []
            for name, client, usual_count, other_counts in clients:
                count = other_counts.get(delay_ms, usual_count)
                with sink(home, delay_ms=delay_ms) as store:
                    environment = airflow_environment(home, bench_s3=s3_connection(store))
                    taken = measured(client, home, staged, count, store.port, environment=environment)
                    assert store.counts()["PUT"] == count
                ours = ours or count / taken.seconds
                rows.append(_row(name, count, taken, ours))
            yield Table(
                f"Load step, documents of 4 kB, from staged files to a store that answers in {delay_ms} ms", rows
            )


def _row(name: str, count: int, taken: Measured, ours: float) -> dict[str, Any]:
    rate = count / taken.seconds
    return {
        "client": name,
        "objects": count,
        "objects/s": rate,
        "CPU s/1,000": taken.cpu_seconds / count * 1_000,
        "peak MB": taken.peak_bytes / 1e6,
        "ours is x": ours / rate,
    }


def deliver_with_ours(home: Path, staged: Staged, count: int, _port: int) -> Work:
    from job_history_airflow.connections import s3_destination

    a_slice, extracted, transformed = staged
    destination = s3_destination(account(USER_ID), in_flight=IN_FLIGHT, repair=False)

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


def put_ready_made(_home: Path, _staged: Staged, count: int, port: int) -> Work:
    """Send one PUT over and over, unsigned: what store and machine can do when the client has nothing to do."""
    return lambda: asyncio.run(_put_ready_made(count, port))


async def _put_ready_made(count: int, port: int) -> None:
    head = (
        f"PUT /{BUCKET}/key HTTP/1.1\r\nHost: 127.0.0.1\r\nIf-None-Match: *\r\nContent-Length: {DOCUMENT_BYTES}\r\n\r\n"
    )
    request = head.encode() + b"x" * DOCUMENT_BYTES
    loop = asyncio.get_running_loop()
    turns = iter(range(count))

    async def work() -> None:
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setblocking(False)
        for _ in turns:
            await loop.sock_sendall(connection, request)
            answer = await loop.sock_recv(connection, 4_096)
            assert answer.startswith(b"HTTP/1.1 200")
        connection.close()

    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))


def _hook() -> Any:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from botocore.config import Config

    # Of the default ten, threads throw most connections away.
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
