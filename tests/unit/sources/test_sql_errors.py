"""A database's errors, sorted by what to do about them; those of real drivers come in the contract suite."""

import sqlite3

import psycopg
import psycopg2
import pytest

from job_history.errors import PermanentError, ReplicationError, TransientError
from job_history.errors.masking import secret_masker
from job_history.sources.sql.errors import database_errors

ABOUT = "the jobs of account 5234 in [2018-05-21T00:00:00Z, 2018-05-21T01:00:00Z)"
VIEWS = "Map your schema with views as docs/job-store.md shows, and check that the connection names the right database."
AGAIN = "It is tried again."
CHECK_HOST = "It is tried again; should it last, check the connection's host and login."
CHECK_TYPES = "Check the relations' column types against docs/job-store.md, and the permissions."


def reported(fault: Exception) -> tuple[type[ReplicationError], str]:
    with pytest.raises(ReplicationError) as sorted_, database_errors(ABOUT):
        raise fault
    # The driver's own exception may show what a row or a connection holds.
    assert (sorted_.value.__cause__, sorted_.value.__suppress_context__) == (None, True)
    return type(sorted_.value), str(sorted_.value).removeprefix(f"Reading {ABOUT} failed: ")


@pytest.mark.promise("messages-quote-no-values")
@pytest.mark.parametrize(
    ("fault", "kind", "detail"),
    [
        (
            sqlite3.OperationalError("no such table: job_history_jobs"),
            PermanentError,
            f"no such table: job_history_jobs (OperationalError). {VIEWS}",
        ),
        (
            sqlite3.DatabaseError("file is not a database"),
            PermanentError,
            f"file is not a database (DatabaseError). {VIEWS}",
        ),
        (
            sqlite3.OperationalError("database is locked"),
            TransientError,
            f"database is locked (OperationalError). {AGAIN}",
        ),
        (
            psycopg.errors.UndefinedTable('relation "job_history_jobs" does not exist\nLINE 1: SELECT count(*)'),
            PermanentError,
            f'relation "job_history_jobs" does not exist (UndefinedTable, SQLSTATE 42P01). {VIEWS}',
        ),
        (
            psycopg.errors.AdminShutdown("terminating connection due to administrator command"),
            TransientError,
            f"terminating connection due to administrator command (AdminShutdown, SQLSTATE 57P01). {AGAIN}",
        ),
        (
            psycopg.errors.SerializationFailure("could not serialize access"),
            TransientError,
            f"could not serialize access (SerializationFailure, SQLSTATE 40001). {AGAIN}",
        ),
        (
            psycopg.errors.InsufficientPrivilege("permission denied for table job_history_jobs"),
            PermanentError,
            "permission denied for table job_history_jobs (InsufficientPrivilege, SQLSTATE 42501). " + CHECK_TYPES,
        ),
        (
            psycopg.errors.InvalidTextRepresentation('invalid input syntax for type integer: "mail "a@b.c" to \'x\'"'),
            PermanentError,
            "invalid input syntax for type integer: *** (InvalidTextRepresentation, SQLSTATE 22P02). " + CHECK_TYPES,
        ),
        (
            psycopg2.DataError("Conversion failed when converting the varchar value 'a@b.c' to data type int."),
            PermanentError,
            "Conversion failed when converting the varchar value *** to data type int. (DataError). " + CHECK_TYPES,
        ),
        (
            psycopg2.OperationalError("connection to server failed: Connection refused\n\tIs it running?\n"),
            TransientError,
            f"connection to server failed: Connection refused (OperationalError). {CHECK_HOST}",
        ),
    ],
)
def test_a_fault_of_a_database(fault: Exception, kind: type[ReplicationError], detail: str) -> None:
    assert reported(fault) == (kind, detail)


@pytest.mark.promise("masked-secrets")
def test_what_a_database_repeats_of_the_connection_is_hidden() -> None:
    with pytest.raises(PermanentError) as raised, database_errors(ABOUT, secret_masker("s3cr=t")):
        raise psycopg2.OperationalError("FATAL:  password authentication failed: s3cr=t (s3cr%3Dt)")
    assert raised.value.detail == "FATAL:  password authentication failed: *** (***) (OperationalError)"


@pytest.mark.parametrize("fault", [KeyError("job_id"), TransientError("lists fewer"), OSError("disk")])
def test_faults_of_others_are_let_through(fault: Exception) -> None:
    with pytest.raises(type(fault)) as let_through, database_errors(ABOUT):
        raise fault
    assert let_through.value is fault


def test_where_nothing_goes_wrong_nothing_is_raised() -> None:
    with database_errors(ABOUT):
        pass
