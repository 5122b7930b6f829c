"""Documents as messages that an HTTP source of Sumo Logic keeps whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from job_history.destinations.messages.batches import Framing
from job_history.destinations.messages.messages import DEFAULT_MAX_MESSAGE_BYTES, messages_of, timestamp_of
from job_history.documents.staged import StagedDocument

# Sumo Logic: "up to but not exceeding 1MB of uncompressed data" a request
MAX_BATCH_BYTES = 1_000_000


@dataclass(frozen=True)
class SumoLogicEncoder:
    """Lines of JSON, each with the time of the document's end."""

    max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES
    framing: Framing = Framing(max_batch_bytes=MAX_BATCH_BYTES)  # noqa: RUF009 - frozen

    def messages_of(self, document: StagedDocument) -> Iterator[bytes]:
        return messages_of(
            document.content(),
            delivery_id=document.key,
            timestamp_ms=timestamp_of(document),
            max_message_bytes=self.max_message_bytes,
        )
