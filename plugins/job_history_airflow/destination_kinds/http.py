"""Any receiver of JSON by HTTP POST as a kind of destination."""

from __future__ import annotations

from typing import TYPE_CHECKING

from job_history.accounts.message_settings import HttpDestinationSettings
from job_history_airflow.destination_kinds.messages import message_kind

if TYPE_CHECKING:
    from job_history.destinations.messages.encoders import MarkingEncoder
    from job_history.destinations.messages.receiver import Address


def _address_of(settings: HttpDestinationSettings, named_by: str) -> Address:
    from job_history_airflow.factories.receivers import http_address

    return http_address(settings, named_by)


def _encoder_of(settings: HttpDestinationSettings) -> MarkingEncoder:
    from job_history.destinations.messages.encoders import HttpEncoder

    return HttpEncoder(settings)


KIND = message_kind(
    HttpDestinationSettings,
    title="HTTP receiver of JSON",
    connection_type="http",
    address_of=_address_of,
    encoder_of=_encoder_of,
)
