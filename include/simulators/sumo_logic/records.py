"""What a source remembers: the requests that came, and the messages that it stored."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

import msgspec


class Slice(msgspec.Struct, frozen=True):
    """The place of a slice, so that the order can be had back.

    `message` is the message's place in its request, from 0; `number` is the slice's place in the message, from 1.
    """

    message: int
    number: int
    of: int


class Message(
    msgspec.Struct,
    frozen=True,
    rename={
        "text": "_raw",
        "size": "_size",
        "message_time": "_messageTime",
        "receipt_time": "_receiptTime",
        "format": "_format",
        "source_name": "_sourceName",
        "source_host": "_sourceHost",
        "source_category": "_sourceCategory",
        "slice": "_slice",
    },
):
    """One stored message; in JSON under the names of the service's own metadata where it has one.

    Times are epoch milliseconds, `size` is in bytes of UTF-8, `request` is the number of the request that brought it.
    """

    text: str
    size: int
    message_time: int
    receipt_time: int
    format: str
    source_name: str
    source_host: str
    source_category: str
    fields: dict[str, str]
    request: int
    slice: Slice | None = None


class Kind(StrEnum):
    """What a request was taken for."""

    PING = "ping"
    LOGS = "logs"
    METRICS = "metrics"


class ReceivedRequest(msgspec.Struct, frozen=True):
    """One request to the source, whatever came of it.

    `headers` have lower-case names; a token among them is masked. `wire_bytes` is the body as it was sent, `bytes` the
    body decompressed (0 if that failed). `messages` were found in it, `stored` of them were kept. `status` is None
    where the connection broke instead of an answer. `peer_port` distinguishes connections; `in_flight` counts the
    requests that were being served when this one came, itself included.
    """

    number: int
    received_at: int
    kind: Kind
    method: str
    token_from: Literal["url", "header", "nowhere"]
    headers: dict[str, str]
    wire_bytes: int
    bytes: int
    messages: int
    stored: int
    status: int | None
    note: str
    peer_address: str
    peer_port: int
    in_flight: int
