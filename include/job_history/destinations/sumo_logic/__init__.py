"""Documents as Sumo Logic messages, the requests that carry them, and the way back; pure, no network.

document -> `messages_of` -> `batches` -> (posted elsewhere) -> `join` -> the document's exact bytes.
"""

from job_history.destinations.sumo_logic.batches import DEFAULT_MAX_BATCH_BYTES, Batch, batches
from job_history.destinations.sumo_logic.joining import JoinError, join, join_each
from job_history.destinations.sumo_logic.messages import DEFAULT_MAX_MESSAGE_BYTES, messages_of

__all__ = [
    "DEFAULT_MAX_BATCH_BYTES",
    "DEFAULT_MAX_MESSAGE_BYTES",
    "Batch",
    "JoinError",
    "batches",
    "join",
    "join_each",
    "messages_of",
]
