"""A problem's sentences, taken apart into account, window, code, cause and fix."""

import pytest

from job_history.errors.catalogue import finding
from job_history.errors.code import Code
from job_history.errors.problem import Problem, parse_problem

HOUR = "window [2018-05-21T03:00:00Z, 2018-05-21T04:00:00Z)"
START = "2018-05-21T03:00:00Z"
DENIED = finding(Code.S3_NO_SUCH_BUCKET, "Bucket acme", detail="404")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            f"load of account 77 Globex, {HOUR}, part 2 of 3: The bucket is full. Empty it.",
            Problem("77 Globex", START, "", "load, part 2 of 3: The bucket is full.", "Empty it."),
        ),
        (
            "Account 80 Odd, window: name: events is missing.",
            Problem("80 Odd, window", "", "", "name: events is missing.", ""),
        ),
        (
            f"Account 5234 Acme, window {START}: 2 documents differ. They were left. Run it again.",
            Problem("5234 Acme", START, "", "2 documents differ. They were left.", "Run it again."),
        ),
        (
            f"preflight of account 5234 Acme, {HOUR}: {DENIED}",
            Problem("5234 Acme", START, "S3_NO_SUCH_BUCKET", f"preflight: {DENIED.cause}", DENIED.fix),
        ),
        (
            f"load of account 5234 Acme, {HOUR}: {DENIED.cause} {DENIED.fix}",
            Problem("5234 Acme", START, "S3_NO_SUCH_BUCKET", f"load: {DENIED.cause}", DENIED.fix),
        ),
        (
            f"preflight of account 5234 Acme, {HOUR}: S3_NO_SUCH_BUCKET: Account 5234 Acme, bucket b: no. Do it.",
            Problem("5234 Acme", START, "S3_NO_SUCH_BUCKET", "preflight: bucket b: no.", "Do it."),
        ),
        ("Something else", Problem("", "", "", "Something else", "")),
        (
            "Destination s3: no plan: see v1.2 of it.",
            Problem("", "", "", "Destination s3: no plan: see v1.2 of it.", ""),
        ),
    ],
)
def test_a_problem_is_taken_apart_without_losing_a_word(text: str, expected: Problem) -> None:
    assert parse_problem(text) == expected
