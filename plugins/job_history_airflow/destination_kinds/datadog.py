"""The log intake of Datadog as a kind of destination."""

from __future__ import annotations

from typing import TYPE_CHECKING

from job_history.accounts.message_settings import DatadogDestinationSettings
from job_history_airflow.destination_kinds.messages import message_kind

if TYPE_CHECKING:
    from job_history.destinations.messages.encoders import MarkingEncoder
    from job_history.destinations.messages.receiver import Address


def _address_of(settings: DatadogDestinationSettings, named_by: str) -> Address:
    from job_history_airflow.factories.receivers import datadog_address

    return datadog_address(settings, named_by)


def _encoder_of(settings: DatadogDestinationSettings) -> MarkingEncoder:
    from job_history.destinations.messages.encoders import DatadogEncoder

    return DatadogEncoder(settings)


KIND = message_kind(
    DatadogDestinationSettings,
    title="Datadog logs",
    connection_type="datadog",
    address_of=_address_of,
    encoder_of=_encoder_of,
)
