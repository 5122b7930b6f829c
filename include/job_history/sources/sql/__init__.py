"""A database with the relations `job_history_jobs` and `job_history_lines` as a source."""

from job_history.sources.sql.dialect import Dialect, dialect_for
from job_history.sources.sql.job_source import SqlJobSource

__all__ = ["Dialect", "SqlJobSource", "dialect_for"]
