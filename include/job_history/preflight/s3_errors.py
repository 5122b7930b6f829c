"""The findings of a refused or broken probe. Nothing of a store's answer that may echo keys is quoted."""

from __future__ import annotations

from typing import Any, NamedTuple

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
from urllib3.exceptions import NameResolutionError

from job_history.destinations.s3.errors import CODES, TRANSIENT_STATUS, quoted
from job_history.errors.catalogue import finding
from job_history.errors.code import Code
from job_history.errors.finding import Finding
from job_history.errors.masking import Masker

_OPERATIONS = {"PutObject", "GetObject"}
# The code of an error before any answer, and its text; the first line that matches counts. The proxy's URL, which
# may hold a password, is in the text of its fault.
_BROKEN: tuple[tuple[tuple[type[BotoCoreError], ...], Code, str], ...] = (
    ((NoCredentialsError, PartialCredentialsError), Code.S3_NO_CREDENTIALS, "{fault}"),
    ((CredentialRetrievalError,), Code.S3_CREDENTIALS_AWAY, "{fault}"),
    ((SSLError,), Code.S3_TLS_FAILED, "{cause}"),
    ((EndpointConnectionError,), Code.S3_UNREACHABLE, "{reason}"),
    ((ConnectTimeoutError,), Code.S3_UNREACHABLE, "no connection in time"),
    ((ProxyConnectionError,), Code.S3_UNREACHABLE, "the proxy cannot be reached"),
    ((ReadTimeoutError,), Code.S3_NO_ANSWER, "no answer in time"),
    ((HTTPClientError,), Code.S3_NO_ANSWER, "the connection broke"),
)


class Attempted(NamedTuple):
    """`doing`: write or read. `region`: the one that was asked."""

    doing: str
    key: str
    region: str


def sorted_fault(
    fault: BotoCoreError | ClientError | ValueError, about: str, attempted: Attempted, hide: Masker = str
) -> Finding:
    """Return the finding that a fault of the client is. `hide` takes the credentials out of what the store said."""
    if isinstance(fault, ClientError):
        return _of_an_answer(fault, about, attempted, hide)
    return _without_answer(fault, about)


def credentials_fault(fault: BotoCoreError | ClientError, about: str) -> Finding:
    """Return the finding that a fault is which came before there was a client."""
    return sorted_fault(fault, about, Attempted("use", "", ""))


def _of_an_answer(fault: ClientError, about: str, attempted: Attempted, hide: Masker) -> Finding:
    error: dict[str, Any] = fault.response.get("Error", {})
    metadata: dict[str, Any] = fault.response.get("ResponseMetadata", {})
    status = int(metadata.get("HTTPStatusCode", 0))
    code, message = str(error.get("Code", status)), hide(str(error.get("Message", "")))
    detail = f"{status} {code}" + (f": {quoted(message)}" if message and message != code else "")
    if fault.operation_name not in _OPERATIONS:
        refused = code in CODES or (400 <= status < 500 and status not in TRANSIENT_STATUS and "Throttl" not in code)
        reported = f"{fault.operation_name} was answered with {detail}"
        return finding(Code.S3_NO_CREDENTIALS if refused else Code.S3_CREDENTIALS_AWAY, about, detail=reported)
    if code == "NoSuchKey":
        return finding(Code.S3_OTHER_BYTES, about, key=attempted.key, detail="nothing is there")
    return finding(
        _code_of(code, message, status),
        about,
        detail=detail,
        doing=attempted.doing,
        key=attempted.key,
        region=attempted.region,
        bucket_region=error.get("Region")
        or metadata.get("HTTPHeaders", {}).get("x-amz-bucket-region", "another region"),
    )


def _code_of(code: str, message: str, status: int) -> Code:
    found = CODES.get(code)
    if found is Code.S3_ACCESS_DENIED or (found is None and status in {401, 403}):
        return Code.S3_KMS_ACCESS_DENIED if "kms:" in message.lower() else Code.S3_ACCESS_DENIED
    if found is not None:
        return found
    if status in TRANSIENT_STATUS or (status >= 500 and status != 501):
        return Code.S3_BUSY
    by_status = {301: Code.S3_WRONG_REGION, 307: Code.S3_WRONG_REGION, 501: Code.S3_CREATE_ONLY_UNKNOWN}
    return by_status.get(status, Code.S3_REFUSED)


def _without_answer(fault: BotoCoreError | ValueError, about: str) -> Finding:
    cause = getattr(fault, "kwargs", {}).get("error")
    if isinstance(fault, EndpointConnectionError) and isinstance(cause, NameResolutionError):
        return finding(Code.S3_NO_ADDRESS, about)
    for kinds, code, detail in _BROKEN:
        if isinstance(fault, kinds):
            reported = detail.format(fault=fault, cause=cause, reason=str(cause).rpartition(": ")[2])
            return finding(code, about, detail=quoted(reported))
    return finding(Code.S3_ENDPOINT_UNUSABLE, about, detail=type(fault).__name__)
