"""A database with the relations of docs/job-store.md as a source of jobs and of admin events."""

from job_history.sources.sql.dialect import Dialect
from job_history.sources.sql.dialects import dialect_for
from job_history.sources.sql.event_source import SqlEventSource
from job_history.sources.sql.job_source import SqlJobSource

__all__ = ["Dialect", "SqlEventSource", "SqlJobSource", "dialect_for"]
