"""An HTTP source of Sumo Logic as a destination."""

from __future__ import annotations

from job_history.destinations.messages.acknowledgements import Acknowledgements
from job_history.destinations.messages.delivery import MessageDestination
from job_history.destinations.messages.messages import DEFAULT_MAX_MESSAGE_BYTES
from job_history.destinations.sumo_logic.client import HttpSource
from job_history.destinations.sumo_logic.encoder import SumoLogicEncoder


class SumoLogicDestination(MessageDestination):
    """Posts documents as lines of JSON, in requests of at most 1 MB before gzip."""

    def __init__(
        self,
        source: HttpSource,
        acknowledgements: Acknowledgements,
        *,
        max_message_bytes: int = DEFAULT_MAX_MESSAGE_BYTES,
    ) -> None:
        super().__init__(source, SumoLogicEncoder(max_message_bytes), acknowledgements)
