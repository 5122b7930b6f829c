"""The result of one attempt to send a request to a receiver of messages, sorted by the codes of its kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import requests

from job_history.errors.code import Code
from job_history.http import retry
from job_history.http.failures import Cause, Failure


@dataclass(frozen=True, kw_only=True)
class Attempt(retry.Attempt):
    """`unknown`: the receiver may have stored the request, or a part of it. `warning`: the text of a 200."""

    unknown: bool = False
    warning: str = ""

    @property
    def known(self) -> str:
        if self.unknown:
            return (
                "Whether it stored the request, or a part, is not known; the same is sent again, under the same "
                "delivery_id."
            )
        return "It stored nothing of the request."


@dataclass(frozen=True, kw_only=True)
class Codes:
    """The codes of one kind of receiver.

    `of_status`: of answers that have one of their own; `busy` and `refused`: of all others, by whether another attempt
    may help. `refused_for_now`: statuses with which a receiver refuses a whole request before it reads it.
    """

    of_status: Mapping[int, Code]
    of_failure: Mapping[Cause, Code]
    busy: Code
    refused: Code
    refused_for_now: frozenset[int]

    def refusal(self, response: requests.Response, words: str, *, now: float) -> Attempt:
        """Sort an answer that is neither a success nor a redirect. `words`: of its body; `now`: seconds since 1970."""
        status = response.status_code
        detail = f"answered {status}" + (f" ({words})" if words else "")
        if status == 408 or status in self.refused_for_now or status >= 500:
            return Attempt(
                detail=detail,
                code=self.of_status.get(status, self.busy),
                status=status,
                retry=True,
                unknown=status not in self.refused_for_now,
                retry_after=retry.retry_after_seconds(response.headers.get("Retry-After"), now),
            )
        return Attempt(detail=detail, code=self.of_status.get(status, self.refused), status=status)

    def failed(self, failure: Failure) -> Attempt:
        """Sort a request that got no whole answer."""
        code = self.of_failure[failure.cause]
        return Attempt(detail=failure.detail, code=code, retry=failure.retry, unknown=failure.may_have_arrived)
