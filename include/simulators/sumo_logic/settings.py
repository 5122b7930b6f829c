"""How a local source is configured: the options of a real HTTP source's form, and what a local one needs on top."""

from __future__ import annotations

import base64
import os
import re
from enum import StrEnum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from .timestamp_format import TimestampFormat


class Boundaries(StrEnum):
    """Where one message of a request ends and the next begins."""

    LINE = "line"
    INFER = "infer"
    REGEX = "regex"
    REQUEST = "request"


class Storage(StrEnum):
    """What is kept of the messages that arrive."""

    BODIES = "bodies"
    COUNTS = "counts"


def new_token() -> str:
    """Make a token of the real shape: URL-safe base64 that ends in `==`."""
    return base64.urlsafe_b64encode(os.urandom(40)).decode("ascii")


# Constructs of Python's expressions that RE2, which the real service asks for, does not have.
_NOT_RE2 = re.compile(r"\(\?(?:=|!|<=|<!|P=|\(|>)|\\[1-9]|[*+?}]\+")


class SourceSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one source; each is also an option of `python -m simulators.sumo_logic`.

    The defaults are what this project's docs recommend, which is not what the form has preselected
    (there, boundaries are inferred). Raises ValueError, as do `convert_settings` and the command line, for a locator or
    a format that the real form would refuse.
    """

    token: Annotated[str, Meta(min_length=1, description="secret part of the URL (default: a random one)")] = (
        msgspec.field(default_factory=new_token)
    )
    source_name: Annotated[str, Meta(description="_sourceName where a request has no X-Sumo-Name")] = "Http Input"
    source_host: Annotated[str, Meta(description="_sourceHost where a request has no X-Sumo-Host")] = "127.0.0.1"
    source_category: Annotated[str, Meta(description="_sourceCategory where there is no X-Sumo-Category")] = "local"
    fields_schema: Annotated[
        tuple[str, ...] | None,
        Meta(description="fields that the account knows; others are dropped in silence (default: all are known)"),
    ] = None
    message_boundaries: Annotated[
        Boundaries,
        Meta(description="line: multiline off; infer, regex: multiline on; request: one message per request"),
    ] = Boundaries.LINE
    boundary_regex: Annotated[
        str | None, Meta(description="with boundaries=regex: matches the entire first line of each message")
    ] = None
    max_message_bytes: Annotated[
        int, Meta(ge=16, description="longer messages are sliced: 65536, or 262144 where the new limit is live")
    ] = 65_536
    timestamp_parsing: Annotated[bool, Meta(description="off: every message gets the time of its receipt")] = True
    timestamp_format: Annotated[
        str | None,
        Meta(description="custom format, as yyyy-MM-dd'T'HH:mm:ss.SSS or epoch; it ends ac1 and the 30 days"),
    ] = None
    timestamp_locator: Annotated[
        str | None, Meta(description="expression with one group: where the custom format's time stamp is")
    ] = None
    allow_historical: Annotated[
        bool, Meta(description="what only the vendor's support can do: no re-stamping outside -1 year..+2 days (ac2)")
    ] = False
    ingest_budget_bytes: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="after so many bytes everything is dropped, and the answer is still 200"),
    ] = None
    request_timeout: Annotated[
        float, Meta(gt=0, description="seconds for a whole request; then 408, with what came in so far in part stored")
    ] = 30.0
    idle_timeout: Annotated[float, Meta(gt=0, description="seconds after which an idle connection is closed")] = 30.0
    latency: Annotated[float, Meta(ge=0, description="seconds before each answer, as a far-away source has")] = 0.0
    storage: Annotated[Storage, Meta(description="counts: keep no messages, for throughput runs")] = Storage.BODIES
    max_stored_bytes: Annotated[
        int, Meta(ge=0, description="the oldest messages are forgotten once all together are larger than this")
    ] = 512_000_000

    def __post_init__(self) -> None:
        """Refuse what the form of the real source refuses."""
        if (self.message_boundaries is Boundaries.REGEX) != (self.boundary_regex is not None):
            raise ValueError("message_boundaries=regex and boundary_regex go together: set both or neither")
        if self.boundary_regex is not None:
            _compile("boundary regex", self.boundary_regex)
        if self.timestamp_format is not None:
            TimestampFormat.custom(self.timestamp_format)
        if self.timestamp_locator is None:
            return
        if self.timestamp_format is None:
            raise ValueError("A timestamp_locator needs a timestamp_format: set both")
        if _NOT_RE2.search(self.timestamp_locator):
            raise ValueError(f"The timestamp locator regex {self.timestamp_locator} uses features that RE2 has not")
        locator = _compile("timestamp locator regex", self.timestamp_locator)
        if locator.groups != 1 or locator.groupindex:
            raise ValueError(
                f"The timestamp locator regex {self.timestamp_locator} does not contain a single unnamed capture group"
            )


def _compile(name: str, expression: str) -> re.Pattern[str]:
    try:
        return re.compile(expression)
    except re.error as error:
        raise ValueError(f"The {name} {expression} is invalid: {error}") from error


def convert_settings(values: dict[str, Any], *, base: SourceSettings | None = None) -> SourceSettings:
    """Check plain values (of a call, a command line, a JSON document) and lay them over `base` or the defaults.

    Raises msgspec.ValidationError, a ValueError, that names the setting.
    """
    known = {} if base is None else msgspec.to_builtins(base)
    return msgspec.convert(known | values, SourceSettings, strict=False)
