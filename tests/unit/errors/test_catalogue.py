"""The list of findings: complete, and in sentences."""

from __future__ import annotations

import re
import string
from pathlib import Path

from job_history.errors import PermanentError, TransientError
from job_history.errors.catalogue import CATALOGUE, finding, finding_from_error
from job_history.errors.code import Code, Severity


def test_each_code_is_in_the_catalogue_once_under_its_own_name() -> None:
    assert list(CATALOGUE) == list(Code)
    assert {code.name: code.value for code in Code} == {code.name: code.name for code in Code}


def test_each_finding_is_provoked_by_a_test() -> None:
    """So that none is in the list which nothing can find."""
    tests = Path(__file__).parents[2]
    named = {
        code
        for folder in ("unit/preflight", "unit/ledger", "unit/pipeline", "unit/seals", "dags", "contract")
        for path in (tests / folder).glob("test_*.py")
        for code in re.findall(r"Code\.(\w+)", path.read_text())
    }

    assert set(Code.__members__) - named == set()


def test_each_cause_and_fix_reads_as_it_should() -> None:
    for code, entry in CATALOGUE.items():
        names = {name for _, name, _, _ in string.Formatter().parse(entry.cause) if name}
        reported = finding(code, "Account 5234 Acme", **dict.fromkeys(names, "the server's words."))
        assert reported.cause.startswith("Account 5234 Acme: ")
        assert re.search(r"[^.]\.$", reported.cause), reported.cause
        assert re.search(r"^[A-Z].*[^.]\.$", reported.fix), reported.fix
        assert "|" not in entry.cause + entry.fix  # they stand in a table of the docs


def test_a_finding_reads_as_code_cause_and_fix() -> None:
    reported = finding(Code.S3_NO_SUCH_BUCKET, "Account 5234 Acme, bucket acme-audit", detail="404 NoSuchBucket")

    assert str(reported) == (
        "S3_NO_SUCH_BUCKET: Account 5234 Acme, bucket acme-audit: there is no such bucket (404 NoSuchBucket). Create "
        "the bucket, or correct `destination.bucket` of the account (or the bucket of its connection)."
    )


def test_error_becomes_the_finding_of_its_code_or_one_of_the_connection() -> None:
    coded = PermanentError("Reading failed: no. Do this.", code=Code.SQL_NOT_LET_IN, detail="no")
    permanent, transient = PermanentError("There is no connection."), TransientError("The disk is full.")

    assert [(found.code, found.severity, found.cause) for found in (finding_from_error(fault, "Account 1 A") for fault in (coded, permanent, transient))] == [  # noqa: E501
        (Code.SQL_NOT_LET_IN, Severity.ERROR, "Account 1 A: the server refuses the login: no."),
        (Code.CONNECTION_UNUSABLE, Severity.ERROR, "Account 1 A: the connection cannot be used: There is no connection."),  # noqa: E501
        (Code.CHECK_BROKE, Severity.TRANSIENT, "Account 1 A: the check failed (The disk is full), so it found out nothing."),  # noqa: E501
    ]  # fmt: skip
