"""The log intake of Datadog as a kind of destination."""

from __future__ import annotations

from typing import TYPE_CHECKING

from job_history.accounts.message_settings import DatadogDestinationSettings
from job_history_airflow.destination_kinds.messages import message_kind

if TYPE_CHECKING:
    from job_history.destinations.messages.delivery import Encoder
    from job_history.destinations.messages.receiver import Address


def _address_of(settings: DatadogDestinationSettings, named_by: str) -> Address:
    from job_history_airflow.factories.receivers import datadog_address

    return datadog_address(settings, named_by)


def _encoder_of(settings: DatadogDestinationSettings) -> Encoder:
    from job_history.destinations.messages.encoders import DatadogEncoder

    return DatadogEncoder(settings)


def _marked(settings: DatadogDestinationSettings, message: bytes) -> bytes:
    from job_history.destinations.messages.encoders import DatadogEncoder

    return b"[" + DatadogEncoder(settings).entry("Test of job history replication", message) + b"]"


KIND = message_kind(
    DatadogDestinationSettings,
    title="Datadog logs",
    connection_type="datadog",
    address_of=_address_of,
    encoder_of=_encoder_of,
    marked=_marked,
)
