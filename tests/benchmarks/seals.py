"""What seals cost a run, and what verifying costs against `sha256sum -c`."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.table import Table, promise
from tests.support.one_hour import replicate
from tests.support.sealed_archive import HOUR, START, SealedArchive, allowed_signers, job_document, key_pair
from tests.unit.samples import MemoryDestination, MemorySource, account, record

from job_history.destinations.kind import DocumentStore
from job_history.ledger.receipt_store import Recorded, receipt_bytes
from job_history.seals.needs import AccountPlace, Sealing
from job_history.seals.sealing import SealsOfRun
from job_history.seals.signer import KeySigner
from job_history.storage import local_storage

TRIES = 3
RUN_MICROSECONDS = 210
DOCUMENT_BYTES = 12_000
"""As the sample jobs of the demo: 4.8 MB and 431 kB for some 400 and 35 jobs."""
SMALL_DOCUMENT_BYTES = 1_000
WEEK, YEAR = 168, 8_760
"""Hours, each with a seal."""


def tables(*, quick: bool) -> Iterator[Table]:
    """A week of hours, and a year of them: the verifier and `sha256sum -c` read the same documents, and take turns."""
    documents = 10_000 if quick else 100_000
    with tempfile.TemporaryDirectory(prefix="job-history-") as folder:
        archive = _archive(Path(folder) / "copy", hours=WEEK, documents=documents, size=DOCUMENT_BYTES)
        rows, ratio, seconds = _compared(archive, Path(folder))
    yield Table(f"Verifying {documents:,} documents of {DOCUMENT_BYTES / 1e3:.0f} kB and {WEEK} seals", rows)
    with tempfile.TemporaryDirectory(prefix="job-history-") as folder:
        archive = _archive(Path(folder) / "copy", hours=YEAR, documents=documents, size=SMALL_DOCUMENT_BYTES)
        rows, _, of_a_year = _compared(archive, Path(folder))
    yield Table(f"Verifying {documents:,} documents of {SMALL_DOCUMENT_BYTES / 1e3:.0f} kB and {YEAR:,} seals", rows)
    yield Table(
        "Seals",
        [
            promise("verifier against sha256sum -c, times", ratio, at_most=2),
            promise("verifying, seconds", seconds, at_most=30),
            promise("verifying a year of hours, seconds", of_a_year, at_most=30),
            promise("sealing, percent of a run's CPU", _share(5_000 if quick else 40_000), at_most=3),
        ],
    )


def _archive(folder: Path, *, hours: int, documents: int, size: int) -> SealedArchive:
    archive = SealedArchive(folder, key_pair())
    (folder.parent / "allowed_signers").write_text(allowed_signers(key_pair()))
    job = 0
    for hour in range(hours):
        made = {}
        for _ in range(documents * (hour + 1) // hours - documents * hour // hours):
            job += 1
            completed = START + hour * HOUR + timedelta(minutes=5)
            key, body = job_document(job, completed, recipe=200 + job % 20, note="x" * size)
            made[key] = body
        archive.seal_hour(hour, made)
    return archive


def _compared(archive: SealedArchive, folder: Path) -> tuple[list[dict[str, Any]], float, float]:
    verifier = [sys.executable, "-m", "job_history_verify", "."]
    sums = subprocess.run([*verifier, "--print-sums"], cwd=archive.folder, capture_output=True, check=True).stdout
    (folder / "sums").write_bytes(sums)
    commands = {
        "sha256sum -c": ["sha256sum", "-c", "--quiet", str(folder / "sums")],
        "job-history-verify": [*verifier, "--keys", str(folder / "allowed_signers")],
    }
    best = {name: _Measured(float("inf"), 0.0, 0.0) for name in commands}
    for _ in range(TRIES):
        for name, command in commands.items():
            best[name] = min(best[name], _measured(command, archive.folder))
    rows = [
        {"program": name, "seconds": each.seconds, "CPU seconds": each.cpu, "peak MB": each.megabytes}
        for name, each in best.items()
    ]
    verifying, summing = best["job-history-verify"].seconds, best["sha256sum -c"].seconds
    return rows, verifying / summing, verifying


_SMALL = """\
import json, os, sys, time
started = time.monotonic()
nowhere = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=nowhere)
_, status, used = os.wait4(child, 0)
print(json.dumps([time.monotonic() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3]))
sys.exit(status != 0)
"""


class _Measured(NamedTuple):
    seconds: float
    cpu: float
    megabytes: float


def _measured(command: list[str], folder: Path) -> _Measured:
    """Run a command below a small process: Linux counts the memory of the process that starts it, too."""
    below = subprocess.run([sys.executable, "-S", "-c", _SMALL, *command], cwd=folder, check=True, capture_output=True)
    return _Measured(*json.loads(below.stdout))


def _share(jobs: int) -> float:
    """Return the percentage that sealing takes of the CPU of a run over an hour of jobs.

    Measured for an hour in memory. A run's extract, transform and load to S3 take RUN_MICROSECONDS a job at least
    (docs/performance.md); its tasks start in seconds of CPU that are not counted here.
    """
    source = MemorySource([record(job_id=number) for number in range(jobs)])
    best = min(_sealing_seconds(source) for _ in range(TRIES))
    return best / jobs * 1e6 / RUN_MICROSECONDS * 100


def _sealing_seconds(source: MemorySource) -> float:
    with tempfile.TemporaryDirectory() as folder:
        ledger, staging, bucket = (local_storage(Path(folder) / name) for name in ("ledger", "staging", "bucket"))
        store = DocumentStore(bucket, overwrites=False, description=MemoryDestination().description())
        sealing = Sealing(lambda: KeySigner(key_pair()), lambda _: AccountPlace("", lambda: store))
        receipt = replicate(account(), source, MemoryDestination(), ledger, staging)
        sha256 = hashlib.sha256(receipt_bytes(receipt)).hexdigest()
        started = time.process_time()
        report = SealsOfRun(ledger, sealing).seal([Recorded(receipt, is_new=True, sha256=sha256)], datetime.now(UTC))
        if report.warnings or report.problems:
            raise RuntimeError(str(report))
        return time.process_time() - started
