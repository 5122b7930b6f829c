"""A bucket of Google Cloud Storage as a kind of destination."""

from __future__ import annotations

from job_history.accounts.destination_settings import GoogleStorageDestinationSettings
from job_history.storage.object_store.access import StoreAccess
from job_history_airflow.destination_kinds.containers import container_kind


def _access_of(settings: GoogleStorageDestinationSettings, named_by: str) -> StoreAccess:
    from job_history_airflow.factories.google import google_access

    return google_access(settings.conn_id, settings.bucket, named_by)


KIND = container_kind(
    GoogleStorageDestinationSettings,
    title="Google Cloud Storage bucket",
    connection_type="google_cloud_platform",
    access_of=_access_of,
)
