"""What an Azure or Google store, or the client on the way there, reports as wrong.

Sources: Azure's "Blob service error codes" and "Common REST API error codes"; Cloud Storage's "HTTP status and error
codes for XML".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from job_history.errors import ReplicationError
from job_history.errors.code import Code
from job_history.storage.obstore_errors import CODE, ODD_KEY, STATUS, before_debug, client_failure_of, first
from job_history.storage.problems import SLOW_DOWN_STATUS, TRANSIENT_STATUS, Attempted, Problem, quoted

_MESSAGE = re.compile(r"<Message>([^<\n]+)")
_CREDENTIALS = re.compile(r"External (?:Azure|GCP|Google) credential provider: (.+)")
# obstore shows no more of an exception than its text.
_AWAY = "the identity service did not answer"
_CODES = {
    "ContainerNotFound": Code.STORE_NO_SUCH_CONTAINER,
    "ContainerBeingDeleted": Code.STORE_NO_SUCH_CONTAINER,
    "NoSuchBucket": Code.STORE_NO_SUCH_CONTAINER,
    # Azure answers 403 to a signature or a token that it cannot verify.
    "AuthenticationFailed": Code.STORE_NO_CREDENTIALS,
    "AuthorizationFailure": Code.STORE_NO_CREDENTIALS,
    "InvalidAuthenticationInfo": Code.STORE_NO_CREDENTIALS,
    "NoAuthenticationInformation": Code.STORE_NO_CREDENTIALS,
    "AuthenticationRequired": Code.STORE_NO_CREDENTIALS,
    "InvalidSecurity": Code.STORE_NO_CREDENTIALS,
    "SignatureDoesNotMatch": Code.STORE_NO_CREDENTIALS,
    "AccountIsDisabled": Code.STORE_ACCESS_DENIED,
    # The condition of a create failed, and the object is not there (any more): another client deletes it.
    "ConditionNotMet": Code.STORE_BUSY,
    "PreconditionFailed": Code.STORE_BUSY,
    # Azure answers 409 to what a later request may find changed, and to these, which stay.
    "BlobArchived": Code.STORE_REFUSED,
    "BlobBeingRehydrated": Code.STORE_REFUSED,
    "BlobImmutableDueToPolicy": Code.STORE_REFUSED,
    "FeatureVersionMismatch": Code.STORE_REFUSED,
    "InvalidBlobType": Code.STORE_REFUSED,
    "PublicAccessNotPermitted": Code.STORE_REFUSED,
    "SnapshotsPresent": Code.STORE_REFUSED,
    # Google answers 403 to a repair of what must stay: no right would help.
    "ObjectUnderActiveHold": Code.STORE_REFUSED,
    "RetentionPolicyNotMet": Code.STORE_REFUSED,
}
# Of answers to a create: there is an object, whatever may be done with it. Google answers 412 to each.
_EXISTING = {
    "BlobAlreadyExists", "BlobArchived", "BlobBeingRehydrated", "BlobImmutableDueToPolicy", "ConditionNotMet",
    "InvalidBlobType", "PreconditionFailed", "UnauthorizedBlobOverwrite",
}  # fmt: skip
_BY_STATUS = {401: Code.STORE_NO_CREDENTIALS, 403: Code.STORE_ACCESS_DENIED, 404: Code.STORE_NO_SUCH_CONTAINER}
MISSING_CONTAINER = ("<Code>ContainerNotFound", "<Code>ContainerBeingDeleted", "<Code>NoSuchBucket")


@contextmanager
def identity_service(is_away: Callable[[Exception], bool]) -> Iterator[None]:
    """Ask an identity service for credentials inside. `is_away`: whether its error may pass by itself.

    Such an error is raised as ConnectionError, with the text by which `problem_of_store` recognises it.
    """
    try:
        yield
    except Exception as error:
        if not is_away(error):
            raise
        raise ConnectionError(f"{_AWAY}: {type(error).__name__}") from None


def problem_of_store(text: str) -> Problem:
    """Classify an error of obstore by its text, from which secrets are masked."""
    if (status := int(first(STATUS, text) or 0)) or first(CODE, text):
        return _of_answer(status, first(CODE, text), first(_MESSAGE, text) or "")
    if reported := first(_CREDENTIALS, text):
        code = Code.STORE_CREDENTIALS_AWAY if _AWAY in reported else Code.STORE_NO_CREDENTIALS
        return Problem(code, quoted(reported))
    if ODD_KEY in text:
        return Problem(Code.STORE_ODD_KEY, quoted(before_debug(text)))
    failure = client_failure_of(text)
    return Problem(Code[f"STORE_{failure.code}"], failure.detail)


def reports_existing(text: str, *, by_status: bool) -> bool:
    """Whether the error of a create means that there is an object under the key. `by_status`: if it has no code."""
    return by_status if (code := first(CODE, text)) is None else code in _EXISTING


def _of_answer(status: int, code: str | None, message: str) -> Problem:
    detail = " ".join(part for part in (str(status or ""), code or "") if part)
    if words := quoted(message):
        detail += f": {words}"
    found = _CODES.get(code or "")
    if found is None and (status in TRANSIENT_STATUS or status >= 500):
        found = Code.STORE_BUSY
    return Problem(found or _BY_STATUS.get(status, Code.STORE_REFUSED), detail, status in SLOW_DOWN_STATUS)


def store_error(problem: Problem, about: str, doing: str, key: str) -> ReplicationError:
    return problem.error(about, Attempted(doing, key, ""))
