"""Errors that a source can be set to answer to its next requests, one by one."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

OK = 200


class Break(StrEnum):
    """Where the connection breaks, so that the sender never sees a whole answer."""

    BEFORE_INGEST = "before_ingest"
    AFTER_INGEST = "after_ingest"
    IN_ANSWER = "in_answer"


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What happens to one request.

    `ingest` is the share of its messages that is stored, from the first on: unless given, all with a status below 300
    and none with any other. `body` None means the text that the service has for the status. `delay` counts in seconds,
    after the messages were stored and before the answer; the request's time limit holds for it, too.
    """

    status: Annotated[int, Meta(ge=200, le=599)] = OK
    body: str | None = None
    headers: dict[str, str] = {}
    ingest: Annotated[float, Meta(ge=0, le=1)] | None = None
    delay: Annotated[float, Meta(ge=0)] = 0.0
    breaks: Break | None = None

    def ingested(self, messages: int) -> int:
        """How many of a request's messages are stored."""
        if self.ingest is None:
            return messages if self.status < 300 else 0
        return int(messages * self.ingest)


def dropped() -> Fault:
    """200, and nothing stored: what an exhausted ingest budget looks like."""
    return Fault(ingest=0)


def warning(message: str = "Some of the data could not be processed") -> Fault:
    """200 with a JSON body that reports an error, everything stored."""
    body = {"id": "LOCAL-WARNING", "code": 200, "status": OK, "message": message, "errors": []}
    return Fault(body=msgspec.json.encode(body).decode(), headers={"Content-Type": "application/json"})


def timed_out(*, ingest: float = 0.5) -> Fault:
    """408 after a part was stored."""
    return Fault(status=408, ingest=ingest)


def redirect(location: str, *, status: int = 301) -> Fault:
    """Sends the sender elsewhere; nothing stored."""
    return Fault(status=status, headers={"Location": location})


def slow(seconds: float) -> Fault:
    """200 and everything stored, but the answer takes its time."""
    return Fault(delay=seconds)


def reset_before_ingest() -> Fault:
    """The connection is reset as soon as the headers are read; nothing stored."""
    return Fault(breaks=Break.BEFORE_INGEST)


def reset_after_ingest() -> Fault:
    """Everything is stored, then the connection is reset instead of an answer."""
    return Fault(breaks=Break.AFTER_INGEST)


def cut_answer() -> Fault:
    """Everything is stored, and the connection closes in the middle of the answer."""
    return Fault(breaks=Break.IN_ANSWER)
