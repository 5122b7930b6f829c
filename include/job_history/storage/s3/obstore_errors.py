"""Errors of obstore, which gives each as text only: what happened, the store's answer as XML, and a debugging form."""

from __future__ import annotations

import re

from job_history.errors.code import Code
from job_history.storage.s3.problems import CODES, Answer, Problem, problem_of_answer, quoted

_CODE = re.compile(r"<Code>([A-Za-z0-9.]+)</Code>")
_MESSAGE = re.compile(r"<Message>([^<]+)</Message>")
_STATUS = re.compile(r"non-2xx status code: (\d{3})\b")
_REGION = re.compile(r"<Region>([a-z0-9-]+)</Region>|expecting '([a-z0-9-]+)'")
# The client drops the body of an answer from another region, and its status as well.
_BARE_REDIRECT = "Received redirect without LOCATION"
_CREDENTIALS = re.compile(r"External AWS credential provider: (.+)")
_CREDENTIALS_CODE = re.compile(r"An error occurred \(([A-Za-z0-9.]+)\)")
_CERTIFICATE = re.compile(r"InvalidCertificate\(\s*(\w+)")
_CONNECT = re.compile(r'message: "([^"]+)"')
BLOCKED_PROXY = "http://127.0.0.1:0"
"""Where requests for any other host go: a redirect is never followed (obstore_bucket.py)."""


def problem_of_obstore(text: str) -> Problem:  # noqa: PLR0911 - a table with conditions
    """Classify an error by its text, from which credentials are masked."""
    code = _first(_CODE, text)
    status = int(_first(_STATUS, text) or 0)
    if code is not None or status:
        return problem_of_answer(Answer(status, code, _first(_MESSAGE, text) or "", _first(_REGION, text)))
    if "Generic Config error:" in text:
        return Problem(Code.S3_ENDPOINT_UNUSABLE, quoted(text.split("Debug source:", maxsplit=1)[0]))
    if _BARE_REDIRECT in text:
        return Problem(Code.S3_WRONG_REGION, "a redirect without an address")
    if reported := _first(_CREDENTIALS, text):
        refused = _first(_CREDENTIALS_CODE, reported) in CODES
        return Problem(Code.S3_NO_CREDENTIALS if refused else Code.S3_CREDENTIALS_AWAY, quoted(reported))
    if certificate := _first(_CERTIFICATE, text):
        return Problem(Code.S3_TLS_FAILED, certificate)
    if "InvalidMessage(" in text:
        return Problem(Code.S3_TLS_FAILED, "no TLS")
    if "No CA certificates were loaded" in text:
        return Problem(
            Code.S3_TLS_FAILED, "this machine has no trusted certificates; see SSL_CERT_FILE and SSL_CERT_DIR"
        )
    return _of_the_connection(text)


def _of_the_connection(text: str) -> Problem:
    if "kind: Timeout" in text or "TimedOut" in text:
        return Problem(Code.S3_NO_ANSWER, "no answer in time")
    if "dns error" in text:
        return Problem(Code.S3_NO_ADDRESS, "DNS")
    if "kind: Connect" in text:
        if "127.0.0.1:0" in text or "Cannot assign requested address" in text:
            return Problem(Code.S3_WRONG_REGION, "the store redirects to another host, which is not followed")
        return Problem(Code.S3_UNREACHABLE, _first(_CONNECT, text) or "it cannot be reached")
    if "kind: " in text:
        return Problem(Code.S3_NO_ANSWER, "the connection broke")
    return Problem(Code.S3_NO_ANSWER, quoted(text.split("Debug source:", maxsplit=1)[0]))


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return next((group for group in match.groups() if group), None) if match else None
