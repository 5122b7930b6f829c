"""The tables of the sample job store, in SQLite and PostgreSQL."""

import sqlite3
from typing import Any, Literal

import psycopg

Connection = sqlite3.Connection | psycopg.Connection[Any]
Dialect = Literal["sqlite", "postgresql"]
JsonType = Literal["json", "text"]

# `id` stands for the type of an id that can be a number or a handle, the other words in braces for theirs.
_TABLES = """
CREATE TABLE job_history_jobs (
    user_id {integer} NOT NULL,
    recipe_id {integer} NOT NULL,
    job_id {id} NOT NULL,
    parent_id {id},
    calling_job_id {id},
    status text NOT NULL,
    started_at {time},
    completed_at {time},
    error_type text,
    error text,
    title text,
    is_poll_error boolean,
    report {json}
);
CREATE TABLE job_history_lines (
    user_id {integer} NOT NULL,
    job_id {id} NOT NULL,
    line_index integer NOT NULL,
    recipe_line_number integer,
    adapter_name text,
    adapter_operation text,
    input {json},
    output {json},
    error text,
    mask_data boolean
);
CREATE TABLE job_history_admin_events (
    user_id {integer} NOT NULL,
    event_id {id},
    event text NOT NULL,
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

    `json_type`: PostgreSQL only. `json` keeps a number as it was spelt, as `jsonb` would not, but refuses broken JSON;
    `text` takes that too. SQLite's columns take anything, and its id columns have no type, so that an integer stays
    an integer and a text a text. Without `indexes`, a bulk load is faster: call `create_indexes` after it.
    """
    if dialect == "sqlite":
        types = {"integer": "integer", "id": "", "time": "text", "json": "text"}
    else:
        types = {"integer": "bigint", "id": "text", "time": "timestamptz", "json": json_type}
    _run(connection, _TABLES.format(**types))
    if indexes:
        create_indexes(connection)


def create_indexes(connection: Connection) -> None:
    """Create the indexes that `create` left out, and commit."""
    _run(connection, _INDEXES)


def _run(connection: Connection, script: str) -> None:
    for statement in script.split(";"):
        if isinstance(connection, sqlite3.Connection):
            connection.execute(statement)
        else:
            connection.execute(statement.encode())  # as bytes, psycopg's type for SQL that is not a literal
    connection.commit()
