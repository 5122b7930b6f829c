"""The store's faults, sorted by what to do about them, without what a store may echo of keys and signatures.

obstore tells a fault as text only: what happened, the store's answer as XML, and a debugging form of its own error.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from job_history.errors import PermanentError, TransientError

_CODE = re.compile(r"<Code>([A-Za-z0-9.]+)</Code>")
_MESSAGE = re.compile(r"<Message>([^<]+)</Message>")
_STATUS = re.compile(r"non-2xx status code: (\d{3})\b")
_REGION = re.compile(r"<Region>([a-z0-9-]+)</Region>|expecting '([a-z0-9-]+)'")
_ENDPOINT = re.compile(r"performing [A-Z]+ (https?://[^/\s]+)")
# Our own region is wrong: the client drops the body of such an answer, and may even keep its status to itself.
_BARE_REDIRECT = "Received redirect without LOCATION"
_CREDENTIALS = re.compile(r"External AWS credential provider: (.+)")
_CREDENTIALS_CODE = re.compile(r"An error occurred \(([A-Za-z0-9.]+)\)")
_ACCESS_KEY = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}")
_LONGEST_QUOTE = 500

_REGION_REMEDY = (
    "Set `region_name` of the connection to the bucket's own region (`aws s3api get-bucket-location` tells it)."
)
_CREATE_REMEDY = 'The store does not know conditional PUT: set `"write_mode": "overwrite"` for the account.'
# What each of S3's own error codes asks for; the list is S3's, "Error responses" in its API reference.
_REMEDIES = {
    "NoSuchBucket": "Create the bucket, or correct `destination.bucket` of the account (or the bucket of its connection).",
    "AccessDenied": "Grant the connection's identity s3:PutObject and s3:GetObject on the bucket's objects (and the use "
    "of the KMS key, where one encrypts them).",
    "InvalidAccessKeyId": "Correct the access key of the connection.",
    "InvalidClientTokenId": "Correct the access key of the connection.",
    "SignatureDoesNotMatch": "Correct the secret key of the connection.",
    "ExpiredToken": "Renew the session token of the connection, or let it assume a role.",
    "InvalidToken": "Renew the session token of the connection, or let it assume a role.",
    "RequestTimeTooSkewed": "Set the clock of this machine.",
    "PermanentRedirect": _REGION_REMEDY,
    "AuthorizationHeaderMalformed": _REGION_REMEDY,
    "IllegalLocationConstraintException": _REGION_REMEDY,
    "KMS.NotFoundException": "Correct `destination.kms_key_id` of the account.",
    "KMS.DisabledException": "Enable the KMS key again.",
    "NotImplemented": _CREATE_REMEDY,
}
_CREDENTIALS_REMEDY = "Give the connection an access key that is valid, or a role that it may assume."
_TLS_REMEDY = (
    "Correct `endpoint_url` of the connection (https:// or http://?), or give the store a certificate that this machine "
    "trusts."
)
_TRY_LATER = "It is tried again; should it last, look at the store's own health page and at the network between."
_TRY_CONNECTION_LATER = "It is tried again; should it last, check `endpoint_url` of the connection and the network."
_TRANSIENT_STATUS = {408, 409, 425, 429, 500, 502, 503, 504}
_SLOW_DOWN_STATUS = {429, 503}


class SlowDownError(TransientError):
    """The store asks for fewer requests."""


@contextmanager
def store_faults(bucket: str) -> Iterator[None]:
    """Raise the client's errors as PermanentError or TransientError that name the bucket and what to do."""
    try:
        yield
    except (BaseError, OSError) as fault:
        raise _sorted(str(fault), fault, f"Bucket {bucket}: ") from None


def _sorted(text: str, fault: Exception, where: str) -> PermanentError | TransientError:
    code = _first(_CODE, text)
    status = int(_first(_STATUS, text) or 0)
    if code is None and status == 0:
        return _without_answer(text, where)
    message = _quoted(_first(_MESSAGE, text) or "")
    said = f"{where}the store answered " + (f"{status} {code}: {message}." if code else f"HTTP {status}.")
    remedy = _remedy(code, status, fault)
    if remedy is None:
        return (SlowDownError if status in _SLOW_DOWN_STATUS else TransientError)(f"{said} {_TRY_LATER}")
    region = _first(_REGION, text)
    return PermanentError(f"{said} The bucket is in {region}. {remedy}" if region else f"{said} {remedy}")


def _remedy(code: str | None, status: int, fault: Exception) -> str | None:
    """Return what to do about an answer; None: try again."""
    remedy = _REMEDIES.get(code or "")
    if remedy is None and isinstance(fault, FileNotFoundError):
        remedy = _REMEDIES["NoSuchBucket"]
    elif remedy is None and isinstance(fault, PermissionDeniedError | UnauthenticatedError):
        remedy = _REMEDIES["AccessDenied"]
    elif remedy is None and 300 <= status < 400:
        remedy = _REGION_REMEDY
    elif remedy is None and status == 501:
        remedy = _CREATE_REMEDY
    elif remedy is None and 400 <= status < 500 and status not in _TRANSIENT_STATUS:
        remedy = "Look the code up in S3's list of error responses."
    return remedy


def _without_answer(text: str, where: str) -> PermanentError | TransientError:
    """Sort what happened before the store said anything: to the credentials, or to the connection."""
    if _BARE_REDIRECT in text:
        return PermanentError(f"{where}the store sent us to another region. {_REGION_REMEDY}")
    if told := _first(_CREDENTIALS, text):
        said = f"{where}the connection gave no credentials: {_quoted(told)}."
        if _first(_CREDENTIALS_CODE, told) in _REMEDIES:
            return PermanentError(f"{said} {_CREDENTIALS_REMEDY}")
        # The service that gives them may be away for a while, as any other.
        return TransientError(f"{said} {_TRY_LATER}")
    endpoint = _first(_ENDPOINT, text) or "the store"
    if trouble := _tls_trouble(text):
        return PermanentError(f"{where}no connection to {endpoint}: {trouble}. {_TLS_REMEDY}")
    return TransientError(f"{where}{_connection_trouble(text, endpoint)}")


def _connection_trouble(text: str, endpoint: str) -> str:
    if "kind: Timeout" in text:
        return f"{endpoint} did not answer in time. {_TRY_LATER}"
    if "dns error" in text:
        return f"no connection to {endpoint}: its name has no address. {_TRY_CONNECTION_LATER}"
    if "kind: Connect" in text:
        cause = _first(re.compile(r'message: "([^"]+)"'), text) or "it cannot be reached"
        return f"no connection to {endpoint}: {cause}. {_TRY_CONNECTION_LATER}"
    if "kind: " in text:
        return f"the connection to {endpoint} broke. {_TRY_LATER}"
    return f"{_quoted(text.split('Debug source:', maxsplit=1)[0])}. {_TRY_LATER}"


def _tls_trouble(text: str) -> str | None:
    if certificate := _first(re.compile(r"InvalidCertificate\(\s*(\w+)"), text):
        return f"its TLS certificate is not valid here ({certificate})"
    if "InvalidMessage(" in text:
        return "it does not speak TLS"
    return None


def _quoted(text: str) -> str:
    """Take what somebody else said for a message of ours, without the access keys that may be in it."""
    words = _ACCESS_KEY.sub("***", html.unescape(" ".join(text.split())))
    return (words if len(words) <= _LONGEST_QUOTE else words[:_LONGEST_QUOTE] + "...").rstrip(".")


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return next((group for group in match.groups() if group), None) if match else None
