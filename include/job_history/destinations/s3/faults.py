"""The store's faults, sorted by what to do about them, without what a store may echo of keys and signatures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from job_history.errors import PermanentError, TransientError

_CODE = re.compile(r"<Code>([A-Za-z0-9]+)</Code>")
_MESSAGE = re.compile(r"<Message>([^<]{1,300})</Message>")
_STATUS = re.compile(r"(?:status code|status|HTTP error:)[ :]*(\d{3})\b", re.IGNORECASE)
_REGION = re.compile(r"<Region>([a-z0-9-]+)</Region>|expecting '([a-z0-9-]+)'")

# What each of S3's own error codes asks for; the list is S3's, "Error responses" in its API reference.
_REMEDIES = {
    "NoSuchBucket": "Create the bucket, or correct `destination.bucket` of the account (or the bucket of its connection).",
    "AccessDenied": "Grant the connection's identity s3:PutObject and s3:GetObject on the bucket's objects (and the use "
    "of the KMS key, where one encrypts them).",
    "InvalidAccessKeyId": "Correct the access key of the connection.",
    "SignatureDoesNotMatch": "Correct the secret key of the connection.",
    "ExpiredToken": "Renew the session token of the connection, or let it assume a role.",
    "PermanentRedirect": "Set `region_name` of the connection to the bucket's own region.",
    "AuthorizationHeaderMalformed": "Set `region_name` of the connection to the bucket's own region.",
    "IllegalLocationConstraintException": "Set `region_name` of the connection to the bucket's own region.",
    "KMS.NotFoundException": "Correct `destination.kms_key_id` of the account.",
    "KMS.DisabledException": "Enable the KMS key again.",
    "NotImplemented": 'The store does not know conditional PUT: set `"write_mode": "overwrite"` for the account.',
}
_ALLOWED_REDIRECT = "Set `region_name` of the connection to the bucket's own region."
_TRY_LATER = "It is tried again; should it last, look at the store's own health page and at the network between."
_TRANSIENT_STATUS = {408, 409, 425, 429, 500, 502, 503, 504}


@contextmanager
def store_faults(bucket: str) -> Iterator[None]:
    """Raise the client's errors as PermanentError or TransientError that name the bucket and what to do."""
    try:
        yield
    except (BaseError, OSError) as fault:
        raise _sorted(fault, bucket) from None


def _sorted(fault: Exception, bucket: str) -> PermanentError | TransientError:
    text = str(fault)
    code = _first(_CODE, text)
    status = int(_first(_STATUS, text) or 0)
    said = _said(text, code, status)
    if code in _REMEDIES:
        region = _first(_REGION, text)
        at_home = f" The bucket is in {region}." if region else ""
        return PermanentError(f"Bucket {bucket}: {said}.{at_home} {_REMEDIES[code]}")
    if isinstance(fault, FileNotFoundError):
        return PermanentError(f"Bucket {bucket}: {said}. {_REMEDIES['NoSuchBucket']}")
    if isinstance(fault, PermissionDeniedError | UnauthenticatedError):
        return PermanentError(f"Bucket {bucket}: {said}. {_REMEDIES['AccessDenied']}")
    if 300 <= status < 400:
        return PermanentError(f"Bucket {bucket}: {said}. {_ALLOWED_REDIRECT}")
    if 400 <= status < 500 and status not in _TRANSIENT_STATUS:
        return PermanentError(f"Bucket {bucket}: {said}. Look the code up in S3's list of error responses.")
    return TransientError(f"Bucket {bucket}: {said}. {_TRY_LATER}")


def _said(text: str, code: str | None, status: int) -> str:
    if code:
        message = _first(_MESSAGE, text) or ""
        return f"the store answered {status or ''} {code}: {message.rstrip('.')}".replace("  ", " ")
    if status:
        return f"the store answered HTTP {status}"
    # Without an answer there is nothing of the store's in the text: only how the connection failed.
    return text.split("\n\n", maxsplit=1)[0].strip().rstrip(".")[:500]


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return next((group for group in match.groups() if group), None) if match else None
