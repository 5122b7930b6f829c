"""A database that does not answer: a time limit ends the reading, whatever the driver."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
import pytest
from tests.support.job_stores import SqlStore
from tests.support.sockets import silent_server
from tests.support.source_suite import HOUR, USER_ID, every_database

from job_history.errors import TransientError
from job_history.sources.sql import SqlJobSource, dialect_for
from job_history.sources.sql.watchdog import GRACE_SECONDS
from job_history_airflow.operators.slice_time_limit import slice_time_limit

LIMIT_SECONDS = 1.0
LOCKS = {
    "postgresql": "LOCK TABLE job_history_jobs IN ACCESS EXCLUSIVE MODE",
    "mysql": "LOCK TABLES job_history_jobs WRITE",
}
ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x AS user_id"


@contextmanager
def stuck(store: Any) -> Iterator[None]:
    """Have the store answer no query of jobs."""
    if store.dialect == "sqlite":
        columns = "recipe_id job_id status started_at completed_at error_type error title is_poll_error report"
        store.execute("DROP TABLE job_history_jobs")
        view = ", ".join(f"'2018-05-21T00:00:00' AS {name}" for name in columns.split())
        store.execute(f"CREATE VIEW job_history_jobs AS {ENDLESS}, {view} FROM n")
        yield
        return
    holder = store.writer()
    holder.cursor().execute(LOCKS[store.dialect])
    yield
    holder.close()


@pytest.mark.promise("no-account-waits")
@every_database
def test_a_query_that_does_not_end_is_ended_in_time(store: SqlStore) -> None:
    if "connector" in str(getattr(store, "driver", "")):
        pytest.skip("its extension in C has no way to end a call")
    with stuck(store):
        began = time.monotonic()
        with pytest.raises(TransientError), slice_time_limit(LIMIT_SECONDS):
            store.source().count(USER_ID, HOUR)

        assert time.monotonic() - began < LIMIT_SECONDS + GRACE_SECONDS + 5


def test_a_server_that_accepts_connections_and_does_not_answer_is_left_in_time() -> None:
    with silent_server() as port:
        source = SqlJobSource(
            lambda: psycopg2.connect(host="127.0.0.1", port=port, connect_timeout=30), dialect_for("postgres", "%s")
        )
        began = time.monotonic()
        with pytest.raises(TransientError), slice_time_limit(LIMIT_SECONDS):
            source.count(USER_ID, HOUR)

        assert time.monotonic() - began < LIMIT_SECONDS + GRACE_SECONDS + 5
