"""Where the ledger and staged files are kept."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from job_history.accounts.destination_settings import S3DestinationSettings
from job_history.errors import PermanentError
from job_history.storage import Storage, folder_of, local_storage
from job_history_airflow.factories.s3 import s3_access


def storage_at(url: str) -> Storage:
    """Return the storage that a path of the config names: a folder, or `s3://[conn_id@]bucket[/prefix]`."""
    if (folder := folder_of(url)) is not None:
        return local_storage(Path(folder))
    parts = urlsplit(url)
    if parts.scheme != "s3":
        raise PermanentError(f"{parts.scheme}:// is not among the places that a path can name: use file:// or s3://.")
    from job_history.destinations.s3 import s3_store

    settings = S3DestinationSettings(
        type="s3", conn_id=parts.username or "aws_default", bucket=parts.hostname, prefix=parts.path.strip("/")
    )
    _, access = s3_access(settings, f"the path {url}")
    store = s3_store(access, settings, prefix=settings.prefix)
    return Storage(store, f"s3://{parts.hostname}{parts.path.rstrip('/')}")
