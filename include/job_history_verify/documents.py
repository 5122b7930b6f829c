"""What the seals name: for each document the line that decides its bytes. On disk beyond 64 MB."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import NamedTuple

from job_history_verify.sums import Line

_CACHE_KB = 64_000


class Sealed(NamedTuple):
    """The line that decides a document's bytes, `sha256` in hex, and the seal that it is of.

    `chain` and `place` are numbers that the caller gave; `window` is the start of the seal's window, as text.
    """

    key: bytes
    sha256: bytes
    chain: int
    seq: int
    window: str
    place: int
    left_out: str | None


class SealedDocuments:
    """Documents by key and place. The highest seq decides; a line that was only carried decides nothing again."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        database.execute(
            "CREATE TABLE sealed (key BLOB, place INT, sha256 BLOB, chain INT, seq INT, window TEXT, carried INT,"
            " left_out TEXT, PRIMARY KEY (key, place)) WITHOUT ROWID"
        )
        database.execute("CREATE TABLE earlier (key BLOB PRIMARY KEY) WITHOUT ROWID")

    @contextmanager
    def of_seal(self) -> Iterator[None]:
        """Keep what the block adds if it ends well, and nothing of it otherwise."""
        self._database.execute("SAVEPOINT seal")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK TO seal")
            raise
        finally:
            self._database.execute("RELEASE seal")

    def add(self, lines: Iterable[Line], *, chain: int, seq: int, window: str, place: int) -> None:
        """Take the lines of a seal. Seals of a chain come in the order of their seq."""
        self._database.executemany(
            "INSERT INTO sealed VALUES (?, ?, ?, ?, ?, ?, ?, NULL) ON CONFLICT DO UPDATE SET sha256 = excluded.sha256,"
            " seq = excluded.seq, window = excluded.window, carried = excluded.carried, left_out = NULL"
            " WHERE NOT excluded.carried OR carried OR left_out IS NOT NULL",
            ((line.key, place, line.sha256, chain, seq, window, line.carried) for line in lines),
        )

    def begin_again(self, earlier: Iterable[Line]) -> None:
        """Remember the keys that an earlier seal of a window names."""
        self._database.execute("DELETE FROM earlier")
        self._database.executemany("INSERT OR IGNORE INTO earlier VALUES (?)", ((line.key,) for line in earlier))

    def named_again(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Pass the lines of the later seal on, and cross their keys off."""
        for line in lines:
            self._database.execute("DELETE FROM earlier WHERE key = ?", (line.key,))
            yield line

    def leave_out(self, *, place: int, because: str) -> Iterator[bytes]:
        """Yield the keys that the later seal does not name, and mark them."""
        for (key,) in self._database.execute("SELECT key FROM earlier ORDER BY key"):
            self._database.execute("UPDATE sealed SET left_out = ? WHERE key = ? AND place = ?", (because, key, place))
            yield key

    def seq_of(self, key: bytes) -> int | None:
        """Return the highest seq that names a document."""
        (seq,) = self._database.execute("SELECT max(seq) FROM sealed WHERE key = ?", (key,)).fetchone()
        return None if seq is None else int(seq)

    def deciding(self, places: Mapping[int, int]) -> Iterator[Sealed]:
        """Yield each document once, in the order of keys: its line for the place of its chain, else the newest one."""
        best: Sealed | None = None
        for row in self._database.execute(
            "SELECT key, sha256, chain, seq, window, place, left_out FROM sealed ORDER BY key, seq"
        ):
            sealed = Sealed(*row)
            if best is not None and sealed.key != best.key:
                yield best
            elif best is not None and best.place == places[best.chain] != sealed.place:
                continue
            best = sealed
        if best is not None:
            yield best


@contextmanager
def sealed_documents() -> Iterator[SealedDocuments]:
    """Open an empty table in a temporary file, which nothing outlives."""
    with closing(sqlite3.connect("", isolation_level=None)) as database:
        database.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        database.execute("PRAGMA journal_mode = MEMORY")
        database.execute("PRAGMA temp_store = FILE")
        database.execute("BEGIN")
        yield SealedDocuments(database)
