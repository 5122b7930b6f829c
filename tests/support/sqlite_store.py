"""A job store in an SQLite file, with the jobs of a test."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from simulators.job_store import SampleJob, create, fill


def filled_store(path: Path, jobs: Iterable[SampleJob]) -> Path:
    """Make a job store of these jobs, and return its path."""
    with closing(sqlite3.connect(path)) as connection:
        create(connection, "sqlite")
        fill(connection, "sqlite", jobs)
    return path
