"""An HTTP Event Collector of Splunk as a kind of destination."""

from __future__ import annotations

from typing import TYPE_CHECKING

from job_history.accounts.message_settings import SplunkHecDestinationSettings
from job_history_airflow.destination_kinds.messages import message_kind

if TYPE_CHECKING:
    from job_history.destinations.messages.encoders import MarkingEncoder
    from job_history.destinations.messages.receiver import Address


def _address_of(settings: SplunkHecDestinationSettings, named_by: str) -> Address:
    from job_history_airflow.factories.receivers import splunk_address

    return splunk_address(settings, named_by)


def _encoder_of(settings: SplunkHecDestinationSettings) -> MarkingEncoder:
    from job_history.destinations.messages.encoders import SplunkEncoder

    return SplunkEncoder(settings)


KIND = message_kind(
    SplunkHecDestinationSettings,
    title="Splunk HTTP Event Collector",
    connection_type="splunk_hec",
    address_of=_address_of,
    encoder_of=_encoder_of,
)
