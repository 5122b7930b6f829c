"""Settings of a local source: options of a real HTTP source's form, and what a local one needs in addition."""

from __future__ import annotations

import base64
import os
import re
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta


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

    The defaults are what this project's docs recommend: multiline detection is off, so each line is a message. Raises
    ValueError, as does the command line, for a locator that the real form would refuse.
    """

    token: Annotated[str, Meta(min_length=1, description="secret part of the URL (default: a random one)")] = (
        msgspec.field(default_factory=new_token)
    )
    source_name: Annotated[str, Meta(description="_sourceName of requests without X-Sumo-Name")] = "Http Input"
    source_host: Annotated[str, Meta(description="_sourceHost of requests without X-Sumo-Host")] = "127.0.0.1"
    source_category: Annotated[str, Meta(description="_sourceCategory of requests without X-Sumo-Category")] = "local"
    fields_schema: Annotated[
        tuple[str, ...] | None,
        Meta(description="fields that the account knows; others are dropped in silence (default: all are known)"),
    ] = None
    max_message_bytes: Annotated[
        int, Meta(ge=16, description="longer messages are sliced: 65536, or 262144 with the new limit")
    ] = 65_536
    timestamp_format: Annotated[
        Literal["epoch"] | None,
        Meta(description="custom format; with one, the rules of ac1 and of 30 days do not hold"),
    ] = None
    timestamp_locator: Annotated[
        str | None, Meta(description="expression with one group that finds the custom format's time stamp")
    ] = None
    request_timeout: Annotated[
        float, Meta(gt=0, description="seconds for a whole request; then 408, and what came in so far is stored")
    ] = 30.0
    idle_timeout: Annotated[float, Meta(gt=0, description="seconds after which an idle connection is closed")] = 30.0
    latency: Annotated[float, Meta(ge=0, description="seconds before each answer, as a far-away source has")] = 0.0
    storage: Annotated[Storage, Meta(description="counts: keep no messages, for throughput runs")] = Storage.BODIES
    max_stored_bytes: Annotated[
        int, Meta(ge=0, description="the oldest messages are forgotten once all together are larger than this")
    ] = 512_000_000

    def __post_init__(self) -> None:
        """Refuse what the form of the real source refuses."""
        if self.timestamp_locator is None:
            return
        if self.timestamp_format is None:
            raise ValueError("A timestamp_locator needs a timestamp_format: set both")
        if _NOT_RE2.search(self.timestamp_locator):
            raise ValueError(
                f"The timestamp locator regex {self.timestamp_locator} uses features that RE2 does not have"
            )
        try:
            locator = re.compile(self.timestamp_locator)
        except re.error as error:
            raise ValueError(f"The timestamp locator regex {self.timestamp_locator} is invalid: {error}") from error
        if locator.groups != 1 or locator.groupindex:
            raise ValueError(
                f"The timestamp locator regex {self.timestamp_locator} does not contain a single unnamed capture group"
            )
