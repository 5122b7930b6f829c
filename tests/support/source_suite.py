"""What the contract tests of job sources share: the account and hour, jobs to store, and how a window is listed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.job_stores import MARIADB_STORES, STORES, SqlStore

from job_history.documents.job_document import DocumentRules, document_of
from job_history.errors import ReplicationError
from job_history.model.job import JobRecord, final_status
from job_history.model.window import Window
from job_history.sources import Source
from simulators.job_store import SampleJob, plain_job

USER_ID = 5234
START = datetime(2018, 5, 21, tzinfo=UTC)
HOUR = Window(START, START + timedelta(hours=1))
MEGABYTE = 1_000_000

DATABASES = [*STORES, *MARIADB_STORES]

every_source = pytest.mark.parametrize("store", [*DATABASES, "workato-direct", "workato-embedded"], indirect=True)
every_database = pytest.mark.parametrize("store", DATABASES, indirect=True)
every_empty_database = pytest.mark.parametrize("empty_store", DATABASES, indirect=True)
every_mariadb = pytest.mark.parametrize("store", MARIADB_STORES, indirect=True)
each_kind = pytest.mark.parametrize("store", ["sqlite", "postgres-psycopg", *MARIADB_STORES], indirect=True)
both_drivers = pytest.mark.parametrize("store", ["postgres-psycopg", "postgres-psycopg2"], indirect=True)


def job(job_id: int | str, completed_at: str | None = None, **fields: Any) -> SampleJob:
    """Return a plain job that completed at `completed_at`, by default at half past."""
    plain = plain_job(USER_ID, START, job_id)
    return plain._replace(completed_at=completed_at or plain.completed_at, **fields)


def listed(
    source: Source[JobRecord], window: Window = HOUR, *, user_id: int = USER_ID, lines: bool = True
) -> list[JobRecord]:
    """List a window, and check that `counted` and `count()` are the number of records."""
    with source.listing(user_id, window, line_details=lines) as listing:
        records = list(listing)
    assert (listing.counted, source.count(user_id, window)) == (len(records), len(records))
    return records


def ids(records: list[JobRecord]) -> list[str]:
    return sorted(str(record.job_id) for record in records)


def documents(records: list[JobRecord], user_id: int = USER_ID, *, lines: bool = True) -> dict[str, bytes]:
    """Return the body of each finished job's document by its key."""
    rules = DocumentRules(user_id=user_id, prefix="", line_details=lines, max_document_bytes=40 * MEGABYTE)
    made = [document_of(record, status, rules) for record in records if (status := final_status(record.status))]
    return {document.key: document.body for document in made}


def error_of(source: Source[JobRecord], *, lines: bool = True) -> ReplicationError:
    """List the window, which must fail, and return the error."""
    with pytest.raises(ReplicationError) as raised:
        listed(source, lines=lines)
    return raised.value


def tables(
    store: SqlStore, *, number: str = "bigint", job_id: str = "text", json_type: str = "text", time: str = "timestamptz"
) -> list[str]:
    """The two relations with column types of a test's choice; SQLite takes any word for a type."""
    if store.dialect == "mysql":
        types = {"text": "varchar(200)", "jsonb": "json", "timestamptz": "datetime(6)", "double precision": "double"}
        number, job_id, time = (types.get(name, name) for name in (number, job_id, time))
        json_type = "longtext" if json_type == "text" else "json"
    return [
        f"""CREATE TABLE job_history_jobs (user_id {number}, recipe_id {number}, job_id {job_id}, parent_id {job_id},
            calling_job_id {job_id}, status text, started_at {time}, completed_at {time}, error_type text,
            error text, title text, is_poll_error boolean, report {json_type})""",
        f"""CREATE TABLE job_history_lines (user_id {number}, job_id {job_id}, line_index integer,
            recipe_line_number integer, adapter_name text, adapter_operation text, input {json_type},
            output {json_type}, error text, mask_data boolean)""",
    ]
