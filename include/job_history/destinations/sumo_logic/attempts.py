"""The result of one attempt to send a request to an HTTP source.

Sources: Sumo Logic's page "Troubleshooting HTTP sources" for 401, 408, 429, 503 and 504; for what it leaves out (400,
403, 404, 413, 425, 500, 502), what other senders do.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import requests

from job_history.destinations.messages.attempts import Attempt, Codes
from job_history.destinations.sumo_logic.endpoint import Endpoint
from job_history.errors.code import Code
from job_history.http.failures import Cause, excerpt

CODES = Codes(
    of_status={
        400: Code.SUMO_LOGIC_BAD_REQUEST,
        401: Code.SUMO_LOGIC_UNAUTHORIZED,
        403: Code.SUMO_LOGIC_FORBIDDEN,
        404: Code.SUMO_LOGIC_NOT_FOUND,
        413: Code.SUMO_LOGIC_TOO_LARGE,
        429: Code.SUMO_LOGIC_THROTTLED,
    },
    of_failure={
        Cause.CERTIFICATE: Code.SUMO_LOGIC_CERTIFICATE,
        Cause.NO_ADDRESS: Code.SUMO_LOGIC_NO_ADDRESS,
        Cause.NO_CONNECTION: Code.SUMO_LOGIC_UNREACHABLE,
        Cause.NO_ANSWER: Code.SUMO_LOGIC_NO_ANSWER,
        Cause.UNUSABLE: Code.SUMO_LOGIC_URL_UNUSABLE,
    },
    busy=Code.SUMO_LOGIC_BUSY,
    refused=Code.SUMO_LOGIC_REFUSED,
    refused_for_now=frozenset({425, 429, 503, 504}),
)


def attempt_of(response: requests.Response, endpoint: Endpoint, *, now: float) -> Attempt:
    """Sort an answer; `now` is in seconds since 1970."""
    status, answer = response.status_code, response.content
    body = excerpt(answer.decode(errors="replace"), endpoint.without_secrets)
    if status in {200, 204} and answer.lstrip()[:1] not in {b"", b"{"}:
        # Its own answers have no text, or a JSON object if something was wrong.
        detail = f"answered {status} ({body})"
        return Attempt(detail=detail, code=Code.SUMO_LOGIC_NOT_ACKNOWLEDGED, status=status, unknown=True)
    if status in {200, 204}:
        code = Code.SUMO_LOGIC_WARNED if body else None
        return Attempt(detail=f"answered {status}", code=code, status=status, accepted=True, warning=body)
    if 300 <= status < 400:
        return Attempt(detail=_redirect(response), code=Code.SUMO_LOGIC_REDIRECT, status=status)
    return CODES.refusal(response, body, now=now)


def _redirect(response: requests.Response) -> str:
    # Only the host: the path that it redirects to may hold the token.
    try:
        host = urlsplit(response.headers.get("Location", "")).hostname
    except ValueError:
        host = None
    return f"answered {response.status_code}, a redirect" + (f" to {host}" if host else "")
