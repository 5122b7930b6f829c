"""A driver's errors, sorted by what to do about them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from job_history.errors import PermanentError, ReplicationError, TransientError
from job_history.errors.catalogue import fix_of
from job_history.errors.code import Code
from job_history.errors.masking import MASK, Masker

# SQLSTATE classes: connection, transaction rollback, resources, operator intervention (shutdown), system error; and
# sessions that were idle, or transactions that were open, for longer than the server allows; tables that are locked or
# in use; a snapshot that is too old; a foreign server that cannot be reached.
_TRANSIENT_STATES = ("08", "40", "53", "57", "58", "25P03", "25P04", "55P03", "55006", "72000", "HV00N")
_UNDEFINED_STATES = {"42P01", "42703", "42S02", "42S22"}
_REFUSED_STATES = {"28000", "28P01", "3D000"}
# Error numbers of MySQL and MariaDB: connections and resources, time limits, locks, shutdown, tables altered meanwhile.
_TRANSIENT_NUMBERS = {
    *(1040, 1053, 1158, 1159, 1160, 1161, 1203, 1205, 1213, 1226, 1317, 1412, 1615, 1927, 1969),
    *(2002, 2003, 2005, 2006, 2013, 2055, 3024),
}
_UNDEFINED_NUMBERS = {1054, 1146, 1356}
_REFUSED_NUMBERS = {1044, 1045, 1049, 1130, 1698, 1820, 2059, 3118, 4151}
# PgBouncer's modes have no SQLSTATE of their own: 08P01 is also what it calls its passing states.
_NOT_SUPPORTED = ("not allowed in statement pooling mode",)
_SQLITE_UNDEFINED = ("no such table", "no such column", "unable to open database file", "not a database")
# libpq's words if a server answers but refuses the login, or if a parameter of the connection is wrong; a connection
# that failed has no SQLSTATE.
_REFUSED = re.compile(
    r"FATAL: .*(does not exist|authentication failed|no pg_hba.conf entry|is not permitted to log in|no such database"
    r"|permission denied for database|unrecognized configuration parameter|invalid value for parameter)"
    r"|invalid (\w+ value: |integer value )|no password supplied|server does not support SSL"
)
# Errors of a row's data quote the value, which no rule of redaction has seen (PEP 249's names for them).
_QUOTING = {"DataError", "IntegrityError"}
_QUOTED = re.compile(r"""(["'`]).*\1""")
_SQLITE_BUSY = ("locked", "busy", "disk i/o error", "interrupted")
_SQLITE_ERROR = 1  # the code of a statement that SQLite cannot run: a function, column or collation that is not there


@contextmanager
def database_errors(about: str, mask_secrets: Masker = str) -> Iterator[None]:
    """Raise every error of a driver as TransientError or PermanentError; `about` names what was being read.

    Put only calls of the driver inside. `mask_secrets` takes the connection's secrets out of the driver's message.
    """
    try:
        yield
    except ReplicationError:
        raise
    except Exception as error:  # noqa: BLE001 - a driver may raise anything: RuntimeError, ValueError, OSError, ...
        raise _sorted(error, about, mask_secrets) from None


def _sorted(error: Exception, about: str, mask_secrets: Masker) -> PermanentError | TransientError:
    state, number = _state(error), _number(error)
    text = mask_secrets(_message(error))
    if _is_one_of(_QUOTING, error):
        text = _QUOTED.sub(MASK, text)
    detail = f"{text} ({type(error).__name__}{', SQLSTATE ' + state if state else ''})"
    message = f"Reading {about} failed: {detail}."
    code = _code(error, state, number, text)
    if code is Code.SQL_AWAY:
        return TransientError(f"{message} {fix_of(code)}", code=code, detail=detail)
    return PermanentError(f"{message} {fix_of(code)}", code=code, detail=detail)


def _code(error: Exception, state: str, number: int | None, text: str) -> Code:
    if number in _UNDEFINED_NUMBERS or state in _UNDEFINED_STATES or _has_one_of(_SQLITE_UNDEFINED, text):
        return Code.SQL_NOT_FOUND
    if number in _REFUSED_NUMBERS or state in _REFUSED_STATES or (not state and _REFUSED.search(str(error))):
        return Code.SQL_NOT_LET_IN
    if _is_transient(error, state, number, text) and not _has_one_of(_NOT_SUPPORTED, text):
        return Code.SQL_AWAY
    if _is_one_of({"DatabaseError", "InterfaceError"}, error) or isinstance(error, UnicodeError):
        return Code.SQL_NOT_READABLE
    return Code.CONNECTION_UNUSABLE


def _is_transient(error: Exception, state: str, number: int | None, text: str) -> bool:
    if number in _TRANSIENT_NUMBERS or state.startswith(_TRANSIENT_STATES) or _has_one_of(_SQLITE_BUSY, text):
        return True
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == _SQLITE_ERROR:
        return False
    # A connection that was refused, reset or timed out carries no SQLSTATE.
    lost = number is None and not state and type(error).__name__ == "OperationalError"
    return lost or isinstance(error, OSError)


def _state(error: Exception) -> str:
    return str(getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or "")


def _number(error: Exception) -> int | None:
    """Return the error number of MySQL's drivers: an attribute of the one, the first argument of the other."""
    if isinstance(error, OSError):
        return None
    number = getattr(error, "errno", None) or (error.args[0] if error.args else None)
    return number if type(number) is int else None


def _message(error: Exception) -> str:
    """Return the first line, without the statement and parameters that may follow."""
    diagnosis = getattr(getattr(error, "diag", None), "message_primary", None)
    if _number(error) is not None and len(error.args) > 1 and isinstance(error.args[1], str):
        diagnosis = error.args[1]  # mysqlclient's number and text
    return str(diagnosis or error).strip().split("\n")[0]


def _has_one_of(signs: tuple[str, ...], text: str) -> bool:
    return any(sign in text.lower() for sign in signs)


def _is_one_of(names: set[str], error: Exception) -> bool:
    """PEP 249 names the base classes but gives drivers no common one."""
    return any(kind.__name__ in names for kind in type(error).__mro__)
