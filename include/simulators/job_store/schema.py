"""The tables of the sample job store, in SQLite, PostgreSQL and MySQL (or MariaDB)."""

import sqlite3
from typing import Any, Literal

import psycopg

Connection = sqlite3.Connection | psycopg.Connection[Any]
"""Or one of MySQL's drivers, which have no common type: only cursor(), commit() and close() of it are used."""
Dialect = Literal["sqlite", "postgresql", "mysql"]
JsonType = Literal["json", "text"]

# `id` is the type of an id that can be a number or a handle.
_TABLES = """
CREATE TABLE job_history_jobs (
    user_id {integer} NOT NULL,
    recipe_id {integer} NOT NULL,
    job_id {id} NOT NULL,
    parent_id {id},
    calling_job_id {id},
    status {text} NOT NULL,
    started_at {time},
    completed_at {time},
    error_type {text},
    error {text},
    title {text},
    is_poll_error boolean,
    report {json}
);
CREATE TABLE job_history_lines (
    user_id {integer} NOT NULL,
    job_id {id} NOT NULL,
    line_index integer NOT NULL,
    recipe_line_number integer,
    adapter_name {text},
    adapter_operation {text},
    input {json},
    output {json},
    error {text},
    mask_data boolean
);
CREATE TABLE job_history_admin_events (
    user_id {integer} NOT NULL,
    event_id {id},
    event {text} NOT NULL,
    details {json},
    actor {json},
    team {json},
    resource {json},
    occurred_at {time} NOT NULL
)
"""
# None is unique: a customer's store may hold a job twice, and the sample must be able to.
_INDEXES = """
CREATE INDEX job_history_jobs_completed ON job_history_jobs (user_id, completed_at);
CREATE INDEX job_history_jobs_id ON job_history_jobs (user_id, job_id);
CREATE INDEX job_history_lines_job ON job_history_lines (user_id, job_id, line_index);
CREATE INDEX job_history_admin_events_occurred ON job_history_admin_events (user_id, occurred_at)
"""


def create(connection: Connection, dialect: Dialect, *, json_type: JsonType = "json", indexes: bool = True) -> None:
    """Create the three tables, and commit.

    `json_type`: not SQLite. `json` keeps a number as it was written, as `jsonb` would not, but refuses broken JSON;
    `text` takes that too. SQLite's columns take anything, and its id columns have no type, so that an integer stays
    an integer and a text a text. Without `indexes`, a bulk load is faster: call `create_indexes` after it.
    """
    types = {
        "sqlite": {"integer": "integer", "id": "", "time": "text", "json": "text", "text": "text"},
        "postgresql": {"integer": "bigint", "id": "text", "time": "timestamptz", "json": json_type, "text": "text"},
        "mysql": {
            "integer": "bigint",
            "id": "varchar(200)",
            "time": "datetime(6)",
            "json": "longtext" if json_type == "text" else "json",
            "text": "longtext",
        },
    }[dialect]
    _run(connection, _TABLES.format(**types))
    if indexes:
        create_indexes(connection)


def create_indexes(connection: Connection) -> None:
    """Create the indexes that `create` left out, and commit."""
    _run(connection, _INDEXES)


def _run(connection: Connection, script: str) -> None:
    cursor: Any = connection.cursor()
    for statement in script.split(";"):
        cursor.execute(statement)
    cursor.close()
    connection.commit()
