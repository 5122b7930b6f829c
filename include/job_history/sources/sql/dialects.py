"""The dialect of each Airflow connection type."""

from __future__ import annotations

from job_history.sources.sql.dialect import Dialect
from job_history.sources.sql.mysql import MysqlDialect
from job_history.sources.sql.plain import PlainDialect
from job_history.sources.sql.postgres import PostgresDialect
from job_history.sources.sql.sqlite import SqliteDialect


def dialect_for(connection_type: str, placeholder: str = "%s") -> Dialect:
    """Return the dialect for an Airflow connection type; `placeholder` is the mark for a parameter, for untested
    types.
    """
    if connection_type == "sqlite":
        return SqliteDialect()
    if connection_type == "postgres":
        return PostgresDialect()
    if connection_type == "mysql":
        return MysqlDialect()
    return PlainDialect(placeholder)
