"""The store's faults, sorted by what to do about them, without what a store may echo of keys and signatures.

obstore gives an error as text only: what happened, the store's answer as XML, and a debugging form of its own error.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from job_history.errors import PermanentError, TransientError
from job_history.errors.catalogue import fix_of
from job_history.errors.code import Code
from job_history.errors.masking import MASK, Masker, secret_masker

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
_MAX_QUOTE = 500

# The list of codes is S3's own, "Error responses" in its API reference.
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
_TRY_LATER = "It is tried again; should it last, look at the store's own health page and at the network between."
_TRY_CONNECTION_LATER = "It is tried again; should it last, check `endpoint_url` of the connection and the network."
TRANSIENT_STATUS = {408, 409, 425, 429, 500, 502, 503, 504}
_SLOW_DOWN_STATUS = {429, 503}


Credentials = Callable[[], Any]
"""Gives `secret_access_key` and `token`, as they are now."""


class SlowDownError(TransientError):
    """The store asks for fewer requests."""


@contextmanager
def store_faults(bucket: str, credentials: Credentials | None = None) -> Iterator[None]:
    """Raise the client's errors as PermanentError or TransientError that name the bucket and what to do.

    `credentials` are those that the client sends, which the store may repeat.
    """
    try:
        yield
    except (BaseError, OSError) as fault:
        raise _sorted(hide_credentials(credentials)(str(fault)), fault, f"Bucket {bucket}: ") from None


def hide_credentials(credentials: Credentials | None) -> Masker:
    """Return a function that masks the credentials in a store's answer. An id of a key stays, if it has not Amazon's form."""
    try:
        held = credentials() if credentials else {}
    except Exception:  # noqa: BLE001 - where there are none, none were sent
        return str
    return secret_masker(held.get("secret_access_key"), held.get("token"))


def _sorted(text: str, fault: Exception, where: str) -> PermanentError | TransientError:
    code = _first(_CODE, text)
    status = int(_first(_STATUS, text) or 0)
    if code is None and status == 0:
        return _without_answer(text, where)
    message = quoted(_first(_MESSAGE, text) or "")
    detail = f"{where}the store answered " + (f"{status} {code}: {message}." if code else f"HTTP {status}.")
    finding = _code(code, status, fault)
    if finding is None:
        kind = SlowDownError if status in _SLOW_DOWN_STATUS else TransientError
        return kind(f"{detail} {_TRY_LATER}", code=Code.S3_BUSY)
    region = _first(_REGION, text)
    where_it_is = f" The bucket is in {region}." if region else ""
    return PermanentError(f"{detail}{where_it_is} {fix_of(finding)}", code=finding)


def _code(code: str | None, status: int, fault: Exception) -> Code | None:
    """Return what a preflight calls an answer; None: try again."""
    found = CODES.get(code or "")
    if found is None and isinstance(fault, FileNotFoundError):
        found = Code.S3_NO_SUCH_BUCKET
    elif found is None and isinstance(fault, PermissionDeniedError | UnauthenticatedError):
        found = Code.S3_ACCESS_DENIED
    elif found is None and 300 <= status < 400:
        found = Code.S3_WRONG_REGION
    elif found is None and status == 501:
        found = Code.S3_CREATE_ONLY_UNKNOWN
    elif found is None and 400 <= status < 500 and status not in TRANSIENT_STATUS:
        found = Code.S3_REFUSED
    return found


def _without_answer(text: str, where: str) -> PermanentError | TransientError:
    """Sort errors before any answer of the store: of the credentials, or of the connection."""
    if _BARE_REDIRECT in text:
        region = Code.S3_WRONG_REGION
        return PermanentError(f"{where}the store sent us to another region. {fix_of(region)}", code=region)
    if reported := _first(_CREDENTIALS, text):
        detail = f"{where}the connection gave no credentials: {quoted(reported)}."
        if _first(_CREDENTIALS_CODE, reported) in CODES:
            none = Code.S3_NO_CREDENTIALS
            return PermanentError(f"{detail} {fix_of(none)}", code=none)
        # The service that gives them may be away for a while, as any other.
        return TransientError(f"{detail} {_TRY_LATER}", code=Code.S3_CREDENTIALS_AWAY)
    endpoint = _first(_ENDPOINT, text) or "the store"
    if trouble := _tls_trouble(text):
        tls = Code.S3_TLS_FAILED
        return PermanentError(f"{where}no connection to {endpoint}: {trouble}. {fix_of(tls)}", code=tls)
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
    return f"{quoted(text.split('Debug source:', maxsplit=1)[0])}. {_TRY_LATER}"


def _tls_trouble(text: str) -> str | None:
    if certificate := _first(re.compile(r"InvalidCertificate\(\s*(\w+)"), text):
        return f"its TLS certificate is not valid here ({certificate})"
    if "InvalidMessage(" in text:
        return "it does not speak TLS"
    return None


def quoted(text: str) -> str:
    """Quote another system's text in a message of ours, without the access keys that may be in it."""
    words = _ACCESS_KEY.sub(MASK, html.unescape(" ".join(text.split())))
    return (words if len(words) <= _MAX_QUOTE else words[:_MAX_QUOTE] + "...").rstrip(".")


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return next((group for group in match.groups() if group), None) if match else None
