"""Documents as messages for Splunk, Datadog, and any receiver of JSON.

Limits: Splunk's pages "Format events for HTTP Event Collector" and "props.conf" (TRUNCATE); Datadog's page "Logs" of
its API (5 MB and 1,000 entries a request; 1 MB an entry, which is cut in silence; times older than 18 hours are
dropped).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from job_history.accounts.message_settings import (
    DatadogDestinationSettings,
    HttpDestinationSettings,
    SplunkHecDestinationSettings,
)
from job_history.destinations.messages.batches import Framing
from job_history.destinations.messages.messages import messages_of, timestamp_of
from job_history.destinations.messages.requests import Encoder
from job_history.documents.staged import StagedDocument

SPLUNK_BATCH_BYTES = 1_000_000
_AROUND_AN_EVENT = 2_000
DATADOG_BATCH_BYTES = 5_000_000
DATADOG_BATCH_ENTRIES = 1_000
DATADOG_ENTRY_BYTES = 1_000_000


class MarkingEncoder(Encoder, Protocol):
    """An encoder that a preflight uses, too."""

    def marked_body(self, message: bytes, milliseconds: int) -> bytes:
        """Return the body of a request with a message that is marked as a test, at a time since 1970."""
        ...


@dataclass(frozen=True)
class SplunkEncoder:
    """Event objects, one after another; the event is what Splunk indexes, and its size is what TRUNCATE limits."""

    settings: SplunkHecDestinationSettings

    @property
    def framing(self) -> Framing:
        return Framing(max_batch_bytes=max(SPLUNK_BATCH_BYTES, self.settings.max_event_bytes + _AROUND_AN_EVENT))

    def messages_of(self, document: StagedDocument) -> Iterator[bytes]:
        milliseconds = timestamp_of(document)
        for message in _messages(document, self.settings.max_event_bytes):
            yield self.event(milliseconds, message)

    def marked_body(self, message: bytes, milliseconds: int) -> bytes:
        return self.event(milliseconds, message)

    def event(self, milliseconds: int, message: bytes) -> bytes:
        """Wrap a message, at a time since 1970."""
        named = self.settings.model_dump(include={"index", "source", "sourcetype", "host"}, exclude_none=True)
        return _object({"time": msgspec.Raw(b"%d.%03d" % divmod(milliseconds, 1000)), **named, "event": message})


@dataclass(frozen=True)
class DatadogEncoder:
    """Log entries, in arrays. A job's own time is in `job_history.timestamp`; an entry has the time of its arrival."""

    settings: DatadogDestinationSettings
    framing: Framing = Framing(  # noqa: RUF009 - frozen
        max_batch_bytes=DATADOG_BATCH_BYTES,
        max_batch_messages=DATADOG_BATCH_ENTRIES,
        before=b"[",
        between=b",",
        after=b"]",
    )

    def messages_of(self, document: StagedDocument) -> Iterator[bytes]:
        around = len(self.entry(document.key, b"{}"))
        for message in _messages(document, DATADOG_ENTRY_BYTES - around):
            yield self.entry(document.key, message)

    def marked_body(self, message: bytes, milliseconds: int) -> bytes:  # noqa: ARG002 - Datadog takes the time of arrival
        entry = self.entry("Test of job history replication", message)
        return self.framing.before + entry + self.framing.after

    def entry(self, text: str, message: bytes) -> bytes:
        """Wrap a message. `text` is what Datadog lists."""
        named = self.settings.model_dump(include={"service", "hostname"}, exclude_none=True)
        tags = ",".join(f"{key}:{value}" for key, value in sorted(self.settings.tags.items()))
        return _object(
            {
                "ddsource": self.settings.source,
                **named,
                **({"ddtags": tags} if tags else {}),
                "message": text,
                # Not at the top: there Datadog takes `timestamp` for the entry's time, and drops an old one.
                "job_history": message,
            }
        )


@dataclass(frozen=True)
class HttpEncoder:
    """Lines of JSON, or one object a request."""

    settings: HttpDestinationSettings

    @property
    def framing(self) -> Framing:
        limit = self.settings.max_message_bytes
        return Framing(max_batch_bytes=limit, max_batch_messages=1 if self.settings.body == "json" else limit)

    def messages_of(self, document: StagedDocument) -> Iterator[bytes]:
        return _messages(document, self.settings.max_message_bytes)

    def marked_body(self, message: bytes, milliseconds: int) -> bytes:  # noqa: ARG002 - it is in the message
        return message


def _messages(document: StagedDocument, limit: int) -> Iterator[bytes]:
    return messages_of(
        document.content(),
        delivery_id=document.key,
        timestamp_ms=timestamp_of(document),
        max_message_bytes=limit,
    )


def _object(fields: dict[str, Any]) -> bytes:
    """Encode an object, in which bytes are JSON already."""
    raw = {name: msgspec.Raw(value.rstrip(b"\n")) for name, value in fields.items() if isinstance(value, bytes)}
    return msgspec.json.encode({**fields, **raw})
