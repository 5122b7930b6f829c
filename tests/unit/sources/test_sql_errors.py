"""A driver's errors by code, which decides whether a retry can help; those of real servers are in the contract
suite.
"""

import socket
import sqlite3

import psycopg
import psycopg2
import pytest

from job_history.errors import PermanentError, ReplicationError, TransientError
from job_history.errors.code import Code
from job_history.errors.masking import secret_masker
from job_history.sources.sql.errors import database_errors

ABOUT = "the jobs of account 5234 in [2018-05-21T00:00:00Z, 2018-05-21T01:00:00Z)"


class DatabaseError(Exception):
    """The base class of a driver's errors (PEP 249)."""


class OperationalError(DatabaseError):
    """An error of mysqlclient, which has a number and a text; it is not among the requirements of these tests."""


def sorted_error(error: Exception) -> ReplicationError:
    with pytest.raises(ReplicationError) as raised, database_errors(ABOUT):
        raise error
    # The driver's own exception may show what a row or a connection holds.
    assert (raised.value.__cause__, raised.value.__suppress_context__) == (None, True)
    assert str(raised.value).startswith(f"Reading {ABOUT} failed: {raised.value.detail}. ")
    return raised.value


@pytest.mark.promise("messages-quote-no-values")
@pytest.mark.parametrize(
    ("error", "code", "detail"),
    [
        (sqlite3.OperationalError("no such table: jobs"), Code.SQL_NOT_FOUND, "no such table: jobs (OperationalError)"),
        (sqlite3.DatabaseError("file is not a database"), Code.SQL_NOT_FOUND, "file is not a database (DatabaseError)"),
        (sqlite3.OperationalError("database is locked"), Code.SQL_AWAY, "database is locked (OperationalError)"),
        (sqlite3.OperationalError("interrupted"), Code.SQL_AWAY, "interrupted (OperationalError)"),
        (
            psycopg.errors.UndefinedTable('relation "jobs" does not exist\nLINE 1: SELECT count(*)'),
            Code.SQL_NOT_FOUND,
            'relation "jobs" does not exist (UndefinedTable, SQLSTATE 42P01)',
        ),
        (
            psycopg.errors.AdminShutdown("terminating connection"),
            Code.SQL_AWAY,
            "terminating connection (AdminShutdown, SQLSTATE 57P01)",
        ),
        (
            psycopg.errors.SerializationFailure("could not serialize access"),
            Code.SQL_AWAY,
            "could not serialize access (SerializationFailure, SQLSTATE 40001)",
        ),
        (
            psycopg.errors.IdleInTransactionSessionTimeout("idle for too long"),
            Code.SQL_AWAY,
            "idle for too long (IdleInTransactionSessionTimeout, SQLSTATE 25P03)",
        ),
        (
            psycopg.errors.InsufficientPrivilege("permission denied for table jobs"),
            Code.SQL_NOT_READABLE,
            "permission denied for table jobs (InsufficientPrivilege, SQLSTATE 42501)",
        ),
        (
            psycopg.errors.InvalidTextRepresentation('invalid input syntax for type integer: "mail "a@b.c" to \'x\'"'),
            Code.SQL_NOT_READABLE,
            "invalid input syntax for type integer: *** (InvalidTextRepresentation, SQLSTATE 22P02)",
        ),
        (
            psycopg2.DataError("Conversion failed when converting the varchar value 'a@b.c' to data type int."),
            Code.SQL_NOT_READABLE,
            "Conversion failed when converting the varchar value *** to data type int. (DataError)",
        ),
        (
            psycopg2.OperationalError("connection to server failed: Connection refused\n\tIs it running?\n"),
            Code.SQL_AWAY,
            "connection to server failed: Connection refused (OperationalError)",
        ),
        (OperationalError(2013, "Lost connection"), Code.SQL_AWAY, "Lost connection (OperationalError)"),
        (OperationalError(1205, "Lock wait timeout exceeded"), Code.SQL_AWAY, "Lock wait timeout exceeded (OperationalError)"),  # noqa: E501
        (OperationalError(1969, "max_statement_time exceeded"), Code.SQL_AWAY, "max_statement_time exceeded (OperationalError)"),  # noqa: E501
        (OperationalError(1049, "Unknown database 'x'"), Code.SQL_NOT_LET_IN, "Unknown database 'x' (OperationalError)"),  # noqa: E501
        (OperationalError(1045, "Access denied"), Code.SQL_NOT_LET_IN, "Access denied (OperationalError)"),
        (OperationalError(1146, "Table 'x' doesn't exist"), Code.SQL_NOT_FOUND, "Table 'x' doesn't exist (OperationalError)"),  # noqa: E501
        (OperationalError(1142, "SELECT denied"), Code.SQL_NOT_READABLE, "SELECT denied (OperationalError)"),
        (socket.gaierror(-2, "Name or service not known"), Code.SQL_AWAY, "[Errno -2] Name or service not known (gaierror)"),  # noqa: E501
        (TimeoutError("timed out"), Code.SQL_AWAY, "timed out (TimeoutError)"),
        (RuntimeError("You do not have `mysqlclient`"), Code.CONNECTION_UNUSABLE, "You do not have `mysqlclient` (RuntimeError)"),  # noqa: E501
        (KeyError("passwd"), Code.CONNECTION_UNUSABLE, "'passwd' (KeyError)"),
        (
            UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "unexpected end of data"),
            Code.SQL_NOT_READABLE,
            "'utf-8' codec can't decode byte 0xe9 in position 0: unexpected end of data (UnicodeDecodeError)",
        ),
    ],
)  # fmt: skip
def test_each_error_of_a_driver_has_a_code(error: Exception, code: Code, detail: str) -> None:
    found = sorted_error(error)
    assert (found.code, found.detail) == (code, detail)
    assert type(found) is (TransientError if code is Code.SQL_AWAY else PermanentError)


def test_a_transaction_that_was_open_for_too_long_is_transient() -> None:
    class TransactionTimeout(psycopg.errors.OperationalError):
        """PostgreSQL 17's; psycopg knows it by number only."""

        sqlstate = "25P04"

    assert sorted_error(TransactionTimeout("transaction timeout")).code is Code.SQL_AWAY


@pytest.mark.promise("masked-secrets")
def test_secrets_of_the_connection_are_masked_in_a_drivers_message() -> None:
    with pytest.raises(PermanentError) as raised, database_errors(ABOUT, secret_masker("s3cr=t")):
        raise psycopg2.OperationalError("FATAL:  password authentication failed: s3cr=t (s3cr%3Dt)")
    assert raised.value.detail == "FATAL:  password authentication failed: *** (***) (OperationalError)"


def test_an_error_of_ours_passes_as_it_is() -> None:
    error = TransientError("lists fewer")
    with pytest.raises(TransientError) as raised, database_errors(ABOUT):
        raise error
    assert raised.value is error
