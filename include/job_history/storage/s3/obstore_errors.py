"""Errors of obstore for S3: the store's answer as XML in a text, or why there is none."""

from __future__ import annotations

import re

from job_history.errors.code import Code
from job_history.storage.obstore_errors import CODE, STATUS, client_failure_of, first
from job_history.storage.problems import Problem, quoted
from job_history.storage.s3.problems import CODES, Answer, problem_of_answer

_MESSAGE = re.compile(r"<Message>([^<]+)</Message>")
_REGION = re.compile(r"<Region>([a-z0-9-]+)</Region>|expecting '([a-z0-9-]+)'")
# The client drops the body of an answer from another region, and its status as well.
_BARE_REDIRECT = "Received redirect without LOCATION"
_CREDENTIALS = re.compile(r"External AWS credential provider: (.+)")
_CREDENTIALS_CODE = re.compile(r"An error occurred \(([A-Za-z0-9.]+)\)")
BLOCKED_PROXY = "http://127.0.0.1:0"
"""Where requests for any other host go: a redirect is never followed (obstore_bucket.py)."""


def problem_of_obstore(text: str) -> Problem:
    """Classify an error by its text, from which credentials are masked."""
    code = first(CODE, text)
    status = int(first(STATUS, text) or 0)
    if code is not None or status:
        return problem_of_answer(Answer(status, code, first(_MESSAGE, text) or "", first(_REGION, text)))
    if _BARE_REDIRECT in text:
        return Problem(Code.S3_WRONG_REGION, "a redirect without an address")
    if reported := first(_CREDENTIALS, text):
        refused = first(_CREDENTIALS_CODE, reported) in CODES
        return Problem(Code.S3_NO_CREDENTIALS if refused else Code.S3_CREDENTIALS_AWAY, quoted(reported))
    failure = client_failure_of(text)
    if failure.code == "UNREACHABLE" and ("127.0.0.1:0" in text or "Cannot assign requested address" in text):
        return Problem(Code.S3_WRONG_REGION, "the store redirects to another host, which is not followed")
    return Problem(Code[f"S3_{failure.code}"], failure.detail)
