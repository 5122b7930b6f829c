"""Job stores of every kind that the suite of job sources runs on: filled with the same jobs, read by the same calls."""

import json
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import psycopg
import psycopg2
import pytest
from tests.support.mariadb import MariadbServer

from job_history.http.session import http_session
from job_history.model.admin_event import EventRecord
from job_history.model.job import JobRecord
from job_history.sources import Source
from job_history.sources.sql import SqlEventSource, SqlJobSource, dialect_for
from job_history.sources.workato import Endpoint, Unlimited, WorkatoClient, WorkatoEventSource, WorkatoSource
from simulators.job_store import SampleEvent, SampleJob, SampleLine, create, fill, fill_events
from simulators.job_store.schema import JsonType
from simulators.postgres import PostgresServer
from simulators.workato import Partner, Workspace, local_workato

FixtureValue = Callable[[str], Any]


class JobStore(Protocol):
    """What the suites need of a store."""

    def fill(self, jobs: Iterable[SampleJob]) -> None:
        """Add jobs with their lines."""

    def fill_events(self, events: Iterable[SampleEvent]) -> None:
        """Add admin events."""

    def source(self) -> Source[JobRecord]: ...

    def event_source(self) -> Source[EventRecord]: ...


class SqlStore:
    """A database with the two relations; `dialect` is the sample job store's word for its kind."""

    dialect: Any
    connection_type: str
    json_type: JsonType = "json"

    def __init__(self, *, empty: bool = False) -> None:
        if not empty:
            with closing(self.writer()) as connection:
                create(connection, self.dialect, json_type=self.json_type)

    def connect(self) -> Any:
        """Open a connection as a hook would."""
        raise NotImplementedError

    def writer(self) -> Any:
        raise NotImplementedError

    def fill(self, jobs: Iterable[SampleJob]) -> None:
        with closing(self.writer()) as connection:
            fill(connection, self.dialect, jobs)

    def fill_events(self, events: Iterable[SampleEvent]) -> None:
        with closing(self.writer()) as connection:
            fill_events(connection, self.dialect, events)

    def execute(self, *statements: str) -> None:
        with closing(self.writer()) as connection:
            cursor = connection.cursor()
            for statement in statements:
                cursor.execute(statement)
            connection.commit()
            cursor.close()

    def drop_index(self, index: str, table: str) -> None:  # noqa: ARG002 - MySQL needs the table
        self.execute(f"DROP INDEX {index}")

    def source(self) -> SqlJobSource:
        return SqlJobSource(self.connect, dialect_for(self.connection_type))

    def event_source(self) -> SqlEventSource:
        return SqlEventSource(self.connect, dialect_for(self.connection_type))


class SqliteStore(SqlStore):
    dialect = "sqlite"
    connection_type = "sqlite"

    def __init__(self, folder: Path, *, empty: bool = False) -> None:
        self.path = folder / f"{uuid4()}.sqlite"
        super().__init__(empty=empty)

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path)

    writer = connect


class PostgresStore(SqlStore):
    """A database of its own; read with psycopg 2 or 3, either of which Airflow's hook may use."""

    dialect = "postgresql"
    connection_type = "postgres"

    def __init__(
        self, server: PostgresServer, driver: Any = psycopg, *, empty: bool = False, encoding: str = "UTF8"
    ) -> None:
        self.uri = server.create_database(f"store_{uuid4().hex}", encoding=encoding)
        self.driver = driver
        super().__init__(empty=empty)

    def connect(self) -> Any:
        return self.driver.connect(self.uri)

    def writer(self) -> psycopg.Connection:
        return psycopg.connect(self.uri, client_encoding="utf8")


class MysqlStore(SqlStore):
    """A database of its own in MariaDB, read with either driver that Airflow's hook may use."""

    dialect = "mysql"
    connection_type = "mysql"
    json_type: JsonType = "text"  # MariaDB's json refuses an escape of half a surrogate pair, which a golden vector has

    def __init__(self, server: MariadbServer, driver: str, *, empty: bool = False) -> None:
        self.server, self.driver = server, driver
        self.database = f"store_{uuid4().hex}"
        server.create_database(self.database)
        super().__init__(empty=empty)

    def connect(self) -> Any:
        return self.server.connect(self.database, self.driver)

    def writer(self) -> Any:
        return self.server.writer(self.database)

    def drop_index(self, index: str, table: str) -> None:
        self.execute(f"DROP INDEX {index} ON {table}")


_MAKERS: dict[str, Callable[[Path, FixtureValue, bool], SqlStore]] = {
    "sqlite": lambda folder, _value, empty: SqliteStore(folder, empty=empty),
    "postgres-psycopg": lambda _folder, value, empty: PostgresStore(value("postgres"), psycopg, empty=empty),
    "postgres-psycopg2": lambda _folder, value, empty: PostgresStore(value("postgres"), psycopg2, empty=empty),
    "mariadb-mysqlclient": lambda _folder, value, empty: MysqlStore(value("mariadb"), "mysqlclient", empty=empty),
    "mariadb-connector": lambda _folder, value, empty: MysqlStore(
        value("mariadb"), "mysql-connector-python", empty=empty
    ),
}
STORES = [name for name in _MAKERS if not name.startswith("mariadb")]
MARIADB_NAMES = [name for name in _MAKERS if name.startswith("mariadb")]
MARIADB_STORES = [pytest.param(name, marks=pytest.mark.mariadb) for name in MARIADB_NAMES]


def sql_store(name: str, folder: Path, value: FixtureValue, *, empty: bool = False) -> SqlStore:
    """Return a new store by its name; `value` returns the server that a fixture of the name starts."""
    return _MAKERS[name](folder, value, empty)


def is_sql_store(name: str) -> bool:
    return name in _MAKERS


class WorkatoStore:
    """A workspace served by the platform's API: with its own token, or as a customer of an embedded partner.

    It has no reports and no step data: the suite compares its jobs, not its documents.
    """

    def __init__(self, user_id: int, now: datetime, *, embedded: bool) -> None:
        self._user_id, self._now, self._embedded = user_id, now, embedded
        self._jobs: list[SampleJob] = []
        self._events: list[SampleEvent] = []
        self._running = ExitStack()

    def fill(self, jobs: Iterable[SampleJob]) -> None:
        self._jobs += jobs

    def fill_events(self, events: Iterable[SampleEvent]) -> None:
        self._events += events

    def source(self) -> Source[JobRecord]:
        # A job of the suite may take a day and an hour.
        return WorkatoSource(self._client(), clock=self._now.timestamp, longest_job=timedelta(hours=36))

    def event_source(self) -> Source[EventRecord]:
        return WorkatoEventSource(self._client(), clock=self._now.timestamp)

    def _client(self) -> WorkatoClient:
        workspace = Workspace(user_id=self._user_id, jobs=self._jobs, events=self._events)
        partner = Partner(user_id=1, customers=[workspace])
        places: dict[str, Any] = {"partners": [partner]} if self._embedded else {"workspaces": [workspace]}
        limits = {"direct_limit": None, "partner_limit": None}
        api = self._running.enter_context(local_workato(**places, now=self._now, **limits))
        endpoint = Endpoint(api.url, partner.token if self._embedded else workspace.token)
        customer = str(self._user_id) if self._embedded else None
        return WorkatoClient(endpoint, http_session(), Unlimited(), managed_user_id=customer)

    def close(self) -> None:
        self._running.close()


def golden_job(vector: Path) -> SampleJob:
    """Read the rows of a golden vector."""
    record = json.loads((vector / "record.json").read_text())
    job = record["job"]
    if isinstance(job["job_id"], int) and job["job_id"] >= 2**63:
        job["job_id"] = str(job["job_id"])  # as a store would have it whose whole numbers have 64 bits
    ids = {name: job[name] for name in ("user_id", "job_id")}
    lines = [SampleLine(**ids, line_index=index, **line) for index, line in enumerate(record["lines"])]
    return SampleJob(**job, lines=tuple(lines))
