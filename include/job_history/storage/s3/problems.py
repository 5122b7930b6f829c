"""What is wrong with a bucket of S3, by the store's answer: one table for both clients, preflights and tasks."""

from __future__ import annotations

from typing import NamedTuple

from job_history.errors.code import Code
from job_history.storage.problems import SLOW_DOWN_STATUS, TRANSIENT_STATUS, Problem, quoted

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


class Answer(NamedTuple):
    """A store's answer with an error. `region`: where it reports that the bucket is."""

    status: int
    code: str | None
    message: str = ""
    region: str | None = None


def problem_of_answer(answer: Answer) -> Problem:
    """Classify a store's answer."""
    message = quoted(answer.message)
    detail = f"{answer.status} {answer.code}: {message}" if answer.code and message else f"{answer.status}"
    if answer.code and not message:
        detail = f"{answer.status} {answer.code}"
    return Problem(_code_of(answer), detail, answer.status in SLOW_DOWN_STATUS, answer.region)


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
