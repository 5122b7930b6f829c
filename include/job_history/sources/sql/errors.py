"""A database's faults, sorted by what to do about them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from job_history.errors import PermanentError, TransientError
from job_history.errors.catalogue import fix_of
from job_history.errors.code import Code
from job_history.errors.masking import MASK, Masker

# SQLSTATE classes: connection, transaction rollback, resources, operator intervention (shutdown), system error.
_TRANSIENT_STATES = ("08", "40", "53", "57", "58")
_UNDEFINED = {"42P01": "relation", "42703": "column"}
_SQLITE_UNDEFINED = ("no such table", "no such column", "unable to open database file", "not a database")
# libpq's words where a server answers but lets nobody in; a connection that failed has no SQLSTATE.
_NOT_LET_IN = re.compile(
    r"FATAL: .*(does not exist|authentication failed|no pg_hba.conf entry|is not permitted to log in)"
)
# Faults of a row's data quote the value, which no rule of redaction has seen (PEP 249's names for them).
_QUOTING = {"DataError", "IntegrityError"}
_QUOTED = re.compile(r"""(["'`]).*\1""")
_SQLITE_BUSY = ("locked", "busy", "disk i/o error")


@contextmanager
def database_errors(about: str, mask_secrets: Masker = str) -> Iterator[None]:
    """Raise a database's own errors as TransientError or PermanentError; `about` says what was being read.

    `mask_secrets` takes the secrets of the connection out of what the database says.
    """
    try:
        yield
    except Exception as fault:
        if not _is_of_a_database(fault):
            raise
        raise _sorted(fault, about, mask_secrets) from None


def _is_of_a_database(fault: Exception) -> bool:
    """PEP 249 names the base classes but gives drivers no common one."""
    return _is_one_of({"DatabaseError", "InterfaceError"}, fault)


def _is_one_of(names: set[str], fault: Exception) -> bool:
    return any(kind.__name__ in names for kind in type(fault).__mro__)


def _sorted(fault: Exception, about: str, mask_secrets: Masker) -> PermanentError | TransientError:
    state = getattr(fault, "sqlstate", None) or getattr(fault, "pgcode", None) or ""
    diagnosis = getattr(getattr(fault, "diag", None), "message_primary", None)
    text = mask_secrets((diagnosis or str(fault)).strip().split("\n")[0])
    if _is_one_of(_QUOTING, fault):
        text = _QUOTED.sub(MASK, text)
    detail = f"{text} ({type(fault).__name__}{', SQLSTATE ' + state if state else ''})"
    message = f"Reading {about} failed: {detail}."
    if state in _UNDEFINED or any(sign in text.lower() for sign in _SQLITE_UNDEFINED):
        code = Code.SQL_NOT_FOUND
    elif state.startswith(_TRANSIENT_STATES) or any(sign in text.lower() for sign in _SQLITE_BUSY):
        return TransientError(f"{message} It is tried again.", code=Code.SQL_AWAY, detail=detail)
    elif not state and _NOT_LET_IN.search(str(fault)):
        code = Code.SQL_NOT_LET_IN
    elif not state and type(fault).__name__ == "OperationalError":
        # A connection that was refused, reset or timed out carries no SQLSTATE.
        advice = "It is tried again; should it last, check the connection's host and login."
        return TransientError(f"{message} {advice}", code=Code.SQL_AWAY, detail=detail)
    else:
        code = Code.SQL_NOT_READABLE
    return PermanentError(f"{message} {fix_of(code)}", code=code, detail=detail)
