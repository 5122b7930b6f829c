"""What an Azure or Google store, or the client on the way there, reports as wrong.

Sources: Azure's "Blob service error codes" and "Common REST API error codes"; Cloud Storage's "HTTP status and error
codes for XML".
"""

from __future__ import annotations

import re

from job_history.errors import ReplicationError
from job_history.errors.code import Code
from job_history.storage.s3.obstore_errors import problem_of_obstore
from job_history.storage.s3.problems import TRANSIENT_STATUS, Attempted, Problem, quoted

_CODE = re.compile(r"<Code>([A-Za-z0-9.]+)</Code>")
_MESSAGE = re.compile(r"<Message>([^<\n]+)")
_STATUS = re.compile(r"non-2xx status code: (\d{3})\b")
_CREDENTIALS = re.compile(r"External (?:Azure|GCP|Google) credential provider: (.+)")
# In the text of the exception that our own function for the credentials raises.
AWAY = "the identity service did not answer"
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
}
_BY_STATUS = {401: Code.STORE_NO_CREDENTIALS, 403: Code.STORE_ACCESS_DENIED, 404: Code.STORE_NO_SUCH_CONTAINER}
_SLOW_DOWN_STATUS = {429, 503}
MISSING_CONTAINER = ("<Code>ContainerNotFound", "<Code>ContainerBeingDeleted", "<Code>NoSuchBucket")


def problem_of_store(text: str) -> Problem:
    """Classify an error of obstore by its text, from which secrets are masked."""
    if (status := int(_first(_STATUS, text) or 0)) or _first(_CODE, text):
        return _of_answer(status, _first(_CODE, text), _first(_MESSAGE, text) or "")
    if reported := _first(_CREDENTIALS, text):
        code = Code.STORE_CREDENTIALS_AWAY if AWAY in reported else Code.STORE_NO_CREDENTIALS
        return Problem(code, quoted(reported))
    # On the way to the store it is the same client as for S3.
    of_client = problem_of_obstore(text)
    code = Code.__members__.get(of_client.code.replace("S3_", "STORE_", 1), Code.STORE_REFUSED)
    return of_client._replace(code=code)


def _of_answer(status: int, code: str | None, message: str) -> Problem:
    detail = " ".join(part for part in (str(status or ""), code or "") if part)
    if words := quoted(message):
        detail += f": {words}"
    found = _CODES.get(code or "")
    if found is None and (status in TRANSIENT_STATUS or status >= 500):
        found = Code.STORE_BUSY
    return Problem(found or _BY_STATUS.get(status, Code.STORE_REFUSED), detail, status in _SLOW_DOWN_STATUS)


def store_error(problem: Problem, about: str, doing: str, key: str) -> ReplicationError:
    return problem.error(about, Attempted(doing, key, ""))


def _first(pattern: re.Pattern[str], text: str) -> str | None:
    match = pattern.search(text)
    return match.group(1) if match else None
