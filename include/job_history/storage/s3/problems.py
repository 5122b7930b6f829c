"""What is wrong with a bucket, by the store's answer: one table for both clients, for preflights and for tasks.

A store's answer may repeat keys and signatures. Only its code, and its message without our credentials, is reported.
"""

from __future__ import annotations

import html
import re
from typing import NamedTuple

from job_history.errors import PermanentError, TransientError
from job_history.errors.catalogue import finding
from job_history.errors.code import Code, Severity
from job_history.errors.masking import MASK

_ACCESS_KEY = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}")
# A user name and a password in a URL, whatever is wrong with the URL.
_USER_INFO = re.compile(r"""[^\s`'"/\\]*:[^\s`'"]*@""")
_MAX_QUOTE = 500

# The codes are those of "Error responses" in the API reference of S3.
CODES = {
    "NoSuchBucket": Code.S3_NO_SUCH_BUCKET,
    "AccessDenied": Code.S3_ACCESS_DENIED,
    "InvalidAccessKeyId": Code.S3_UNKNOWN_ACCESS_KEY,
    "InvalidClientTokenId": Code.S3_UNKNOWN_ACCESS_KEY,
    "SignatureDoesNotMatch": Code.S3_WRONG_SECRET_KEY,
    "ExpiredToken": Code.S3_TOKEN_EXPIRED,
    "InvalidToken": Code.S3_TOKEN_INVALID,
    "RequestTimeTooSkewed": Code.S3_CLOCK_SKEWED,
    "PermanentRedirect": Code.S3_WRONG_REGION,
    "AuthorizationHeaderMalformed": Code.S3_WRONG_REGION,
    "IllegalLocationConstraintException": Code.S3_WRONG_REGION,
    "KMS.NotFoundException": Code.S3_KMS_KEY_NOT_FOUND,
    "KMS.DisabledException": Code.S3_KMS_KEY_DISABLED,
    "KMS.KMSInvalidStateException": Code.S3_KMS_KEY_DISABLED,
    "NotImplemented": Code.S3_CREATE_ONLY_UNKNOWN,
}
_BY_STATUS = {404: Code.S3_NO_SUCH_BUCKET, 501: Code.S3_CREATE_ONLY_UNKNOWN}
TRANSIENT_STATUS = {408, 409, 425, 429, 500, 502, 503, 504}
_SLOW_DOWN_STATUS = {429, 503}


class SlowDownError(TransientError):
    """The store asks for fewer requests."""


class Attempted(NamedTuple):
    """`doing`: write, read, list or delete. `region`: the one that the request was signed for."""

    doing: str
    key: str
    region: str


class Answer(NamedTuple):
    """A store's answer with an error. `region`: where it reports that the bucket is."""

    status: int
    code: str | None
    message: str = ""
    region: str | None = None


class Problem(NamedTuple):
    """A code of the catalogue, and what happened."""

    code: Code
    detail: str
    slow_down: bool = False
    bucket_region: str | None = None

    def error(self, about: str, attempted: Attempted) -> PermanentError | TransientError:
        """Return the error to raise. `about`: account or bucket, in words that begin a sentence."""
        facts = {
            "doing": attempted.doing,
            "key": attempted.key,
            "region": attempted.region,
            "bucket_region": self.bucket_region or "another region",
        }
        found = finding(self.code, about, detail=self.detail, **facts)
        kind = PermanentError if found.severity is Severity.ERROR else TransientError
        return (SlowDownError if self.slow_down else kind)(
            f"{found.cause} {found.fix}", code=self.code, detail=self.detail, facts=facts
        )


def problem_of_answer(answer: Answer) -> Problem:
    """Classify a store's answer."""
    message = quoted(answer.message)
    detail = f"{answer.status} {answer.code}: {message}" if answer.code and message else f"{answer.status}"
    if answer.code and not message:
        detail = f"{answer.status} {answer.code}"
    return Problem(_code_of(answer), detail, answer.status in _SLOW_DOWN_STATUS, answer.region)


def _code_of(answer: Answer) -> Code:  # noqa: PLR0911 - a table with conditions
    code = CODES.get(answer.code or "")
    if code is Code.S3_ACCESS_DENIED or (code is None and answer.status in {401, 403}):
        return Code.S3_KMS_ACCESS_DENIED if "kms:" in answer.message.lower() else Code.S3_ACCESS_DENIED
    if code is not None:
        return code
    if answer.status in TRANSIENT_STATUS or (answer.status >= 500 and answer.status != 501):
        return Code.S3_BUSY
    if 300 <= answer.status < 400:
        return Code.S3_WRONG_REGION
    if answer.code == "InvalidRequest" and "x-amz-checksum-" in answer.message:
        return Code.S3_CHECKSUM_REQUIRED
    if answer.code is None:
        return _BY_STATUS.get(answer.status, Code.S3_REFUSED)
    return Code.S3_REFUSED


def quoted(text: str) -> str:
    """Take another program's text into a message: one line, at most 500 characters, without access keys
    and passwords of URLs.
    """
    words = _USER_INFO.sub(f"{MASK}@", _ACCESS_KEY.sub(MASK, html.unescape(" ".join(text.split()))))
    return (words if len(words) <= _MAX_QUOTE else words[:_MAX_QUOTE] + "...").rstrip(".")
