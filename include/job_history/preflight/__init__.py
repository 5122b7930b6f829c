"""Checks before anything is read or delivered: can the destination take an account's documents, can the source be read?

A check asks the other side as a run would, and tells what it finds as `Finding`s; `catalogue` has all that there are.
"""

from job_history.preflight.code import Code, Severity
from job_history.preflight.finding import Finding

__all__ = ["Code", "Finding", "Severity"]
