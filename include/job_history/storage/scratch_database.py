"""A database on disk for what is too much for memory, and is needed for one computation only."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


@contextmanager
def scratch_database() -> Iterator[sqlite3.Connection]:
    """Open an empty SQLite database in a temporary folder, and delete it at the end.

    Any thread may use it, one at a time.
    """
    with (
        tempfile.TemporaryDirectory(prefix="job-history-") as folder,
        closing(
            sqlite3.connect(Path(folder) / "scratch.sqlite", isolation_level=None, check_same_thread=False)
        ) as database,
    ):
        # Nothing of it outlives the block, so nothing needs to be durable.
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        database.execute("BEGIN")
        yield database
