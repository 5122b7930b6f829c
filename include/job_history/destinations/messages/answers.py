"""Which answers acknowledge a request. A success alone does not: a proxy may answer 200 with a page to log in.

Sources: Splunk's pages "Format events for HTTP Event Collector" and "Troubleshoot HTTP Event Collector"; Datadog's page
"Send logs" of its API.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec


class Answers(Protocol):
    """What a kind of receiver answers. `status`: of HTTP; `body`: the beginning of the answer's bytes."""

    def acknowledges(self, status: int, body: bytes) -> bool:
        """Whether an answer of 2xx means that the request was accepted."""
        ...

    def may_hold_a_part(self, status: int, body: bytes) -> bool:
        """Whether an answer that refuses the request leaves it open if a part of it was stored."""
        ...


class AnySuccess:
    """A receiver of which nothing is known but HTTP."""

    def acknowledges(self, status: int, body: bytes) -> bool:  # noqa: ARG002 - an interface
        return True

    def may_hold_a_part(self, status: int, body: bytes) -> bool:  # noqa: ARG002 - an interface
        return False


class SplunkAnswers:
    """200 with `{"text":"Success","code":0}`; an error names the first invalid event of a batch by its number."""

    def acknowledges(self, status: int, body: bytes) -> bool:
        return status == 200 and _object(body).get("code") == 0

    def may_hold_a_part(self, status: int, body: bytes) -> bool:
        number = _object(body).get("invalid-event-number")
        return status == 400 and isinstance(number, int) and number > 0


class DatadogAnswers:
    """202 with `{}`; a proxy of Datadog's answers 200 or an empty body."""

    def acknowledges(self, status: int, body: bytes) -> bool:
        found = _object(body or b"{}", missing={"errors": True})
        return status in {200, 202} and not found.get("errors")

    def may_hold_a_part(self, status: int, body: bytes) -> bool:  # noqa: ARG002 - an interface
        return False


def _object(body: bytes, missing: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the JSON object in a body; `missing` if there is none."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    return found if isinstance(found, dict) else missing or {}
