"""A container of Azure Blob Storage as a kind of destination."""

from __future__ import annotations

from job_history.accounts.destination_settings import AzureBlobDestinationSettings
from job_history.storage.object_store.access import StoreAccess
from job_history_airflow.destination_kinds.containers import container_kind


def _access_of(settings: AzureBlobDestinationSettings, named_by: str) -> StoreAccess:
    from job_history_airflow.factories.azure import azure_access

    return azure_access(settings.conn_id, settings.container, named_by)


KIND = container_kind(
    AzureBlobDestinationSettings, title="Azure Blob Storage container", connection_type="wasb", access_of=_access_of
)
