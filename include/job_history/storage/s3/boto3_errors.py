"""Errors of botocore, classified like those of obstore."""

from __future__ import annotations

import ssl
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)
from botocore.parsers import ResponseParserError
from urllib3.exceptions import NameResolutionError

from job_history.errors.code import Code
from job_history.errors.masking import Masker
from job_history.storage.problems import NO_ANSWER_OF_A_STORE, TRANSIENT_STATUS, Problem, quoted
from job_history.storage.s3.problems import CODES, Answer, problem_of_answer

# Operations on objects; any other belongs to the credentials (AssumeRole, CreateSession, ...).
_OPERATIONS = {"PutObject", "GetObject", "HeadObject", "ListObjectsV2", "DeleteObject", "HeadBucket"}
_PARTS = ("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload")
# The code of an error without an answer, and what is reported; the first line that fits counts. The text of a proxy's
# error holds its URL, which may hold a password.
_BROKEN: tuple[tuple[tuple[type[BotoCoreError], ...], Code, str], ...] = (
    ((NoCredentialsError, PartialCredentialsError), Code.S3_NO_CREDENTIALS, "{error}"),
    ((CredentialRetrievalError,), Code.S3_CREDENTIALS_AWAY, "{error}"),
    ((SSLError,), Code.S3_TLS_FAILED, "{cause}"),
    ((ProxyConnectionError,), Code.S3_UNREACHABLE, "the proxy cannot be reached"),
    ((EndpointConnectionError,), Code.S3_UNREACHABLE, "{reason}"),
    ((ConnectTimeoutError,), Code.S3_UNREACHABLE, "no connection in time"),
    ((ReadTimeoutError,), Code.S3_NO_ANSWER, "no answer in time"),
    ((HTTPClientError,), Code.S3_NO_ANSWER, "the connection broke"),
)
# Errors of the file system.
_LOCAL = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


def problem_of_boto3(error: Exception, mask: Masker = str) -> Problem:  # noqa: PLR0911 - a table with conditions
    """Classify an error of botocore, or of what it calls. `mask` takes credentials out of what the store answered."""
    if isinstance(error, ClientError):
        return _of_an_answer(error, mask)
    cause = getattr(error, "kwargs", {}).get("error")
    if isinstance(error, EndpointConnectionError) and isinstance(cause, NameResolutionError):
        return Problem(Code.S3_NO_ADDRESS, "DNS")
    if isinstance(error, HTTPClientError) and isinstance(cause, ValueError):
        return Problem(Code.S3_ENDPOINT_UNUSABLE, f"{type(cause).__name__}: an URL or a header that cannot be sent")
    if isinstance(error, HTTPClientError) and (type(cause) is OSError or isinstance(cause, (*_LOCAL, BotoCoreError))):
        return Problem(Code.S3_ENDPOINT_UNUSABLE, quoted(mask(f"{type(cause).__name__}: {cause}")))
    for kinds, code, detail in _BROKEN:
        if isinstance(error, kinds):
            words = detail.format(error=error, cause=cause, reason=str(cause).rpartition(": ")[2])
            return Problem(code, quoted(mask(words)))
    if isinstance(error, ResponseParserError):  # an answer that was cut short, or is none of S3; it is not quoted
        return Problem(Code.S3_NO_ANSWER, NO_ANSWER_OF_A_STORE)
    if isinstance(error, ssl.SSLError):
        return Problem(Code.S3_TLS_FAILED, quoted(str(error)))
    # botocore's own, if renewed credentials are no longer valid; and what a service of credentials raises.
    code = Code.S3_CREDENTIALS_AWAY if isinstance(error, RuntimeError) or is_away(error) else Code.S3_ENDPOINT_UNUSABLE
    return Problem(code, quoted(mask(f"{type(error).__name__}: {error}")))


def is_away(error: Exception) -> bool:
    """Return whether an error is that of a service that cannot be reached, as `requests` raises it."""
    return isinstance(error, OSError) and not isinstance(error, _LOCAL)


def _of_an_answer(error: ClientError, mask: Masker) -> Problem:
    answer: dict[str, Any] = error.response.get("Error", {})
    metadata: dict[str, Any] = error.response.get("ResponseMetadata", {})
    status = int(metadata.get("HTTPStatusCode", 0))
    code, message = str(answer.get("Code") or status), mask(str(answer.get("Message", "")))
    if error.operation_name not in {*_OPERATIONS, *_PARTS}:
        refused = code in CODES or (400 <= status < 500 and status not in TRANSIENT_STATUS and "Throttl" not in code)
        detail = f"{error.operation_name} was answered with {problem_of_answer(Answer(status, code, message)).detail}"
        return Problem(Code.S3_NO_CREDENTIALS if refused else Code.S3_CREDENTIALS_AWAY, detail)
    region = answer.get("Region") or metadata.get("HTTPHeaders", {}).get("x-amz-bucket-region")
    # Of an answer without a body botocore makes its own code and message from the status.
    bare = code == str(status)
    return problem_of_answer(Answer(status, None if bare else code, "" if bare else message, region))
