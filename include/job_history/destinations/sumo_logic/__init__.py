"""Sumo Logic as a destination: documents as messages, the requests that carry them, and the way back.

document -> `messages_of` -> `batches` -> `HttpSource.send` -> (Sumo Logic) -> `join` -> the document's exact bytes.
"""

from job_history.destinations.messages.acknowledgements import Acknowledgements
from job_history.destinations.messages.batches import Batch, Framing, batches
from job_history.destinations.messages.joining import JoinError, join, join_each
from job_history.destinations.messages.messages import DEFAULT_MAX_MESSAGE_BYTES, messages_of
from job_history.destinations.sumo_logic.client import RETRIES, HttpSource
from job_history.destinations.sumo_logic.destination import SumoLogicDestination
from job_history.destinations.sumo_logic.endpoint import Endpoint, endpoint_of, target_of
from job_history.destinations.sumo_logic.headers import headers_of

__all__ = [
    "DEFAULT_MAX_MESSAGE_BYTES",
    "RETRIES",
    "Acknowledgements",
    "Batch",
    "Endpoint",
    "Framing",
    "HttpSource",
    "JoinError",
    "SumoLogicDestination",
    "batches",
    "endpoint_of",
    "headers_of",
    "join",
    "join_each",
    "messages_of",
    "target_of",
]
