"""Where the ledger and staged files are kept."""

from __future__ import annotations

import re
from typing import NamedTuple

from job_history.errors import PermanentError
from job_history.errors.quoting import quoted
from job_history.model.settings_model import is_connection_id
from job_history.storage import REQUESTS_AT_ONCE, Storage, folder_of, local_storage
from job_history.storage.files import Files
from job_history_airflow.settings import read_shared_group

# Of each request; a task has retries of its own, minutes apart.
ATTEMPTS = 4
_URL = re.compile(r"(?P<scheme>s3|az|gs)://(?:(?P<conn_id>[^@/]*)@)?(?P<bucket>[^/@]*)(?:/(?P<prefix>.*))?", re.DOTALL)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"(?:[A-Za-z0-9_.=-]+(?:/[A-Za-z0-9_.=-]+)*)?")
_DEFAULT_CONNECTION = {"s3": "aws_default", "az": "wasb_default", "gs": "google_cloud_default"}


class BucketPath(NamedTuple):
    """A place in a bucket (or a container of Azure), as a path of the config names it. `scheme`: s3, az or gs."""

    scheme: str
    conn_id: str
    bucket: str
    prefix: str

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")


def storage_at(url: str) -> Storage:
    """Return the storage that a path of the config names: a folder, or a bucket as in `bucket_path`."""
    if (folder := folder_of(url)) is not None:
        return local_storage(folder, shared_group=read_shared_group())
    place = bucket_path(url)
    return Storage(_bucket(place, f"the path {_shown(url)} of the config"), place.url)


def _bucket(place: BucketPath, named_by: str) -> Files:
    if place.scheme == "s3":
        from job_history.storage.s3.open_bucket import open_bucket
        from job_history_airflow.factories.s3 import bucket_access

        access = bucket_access(place.conn_id, place.bucket, named_by)
        return open_bucket(
            access, prefix=place.prefix, concurrency=REQUESTS_AT_ONCE, attempts=access.attempts or ATTEMPTS
        )
    from job_history.storage.object_store.container import AzureContainer, GoogleBucket

    if place.scheme == "az":
        from job_history_airflow.factories.azure import azure_access

        reached = azure_access(place.conn_id, place.bucket, named_by)
        return AzureContainer(reached, prefix=place.prefix, attempts=ATTEMPTS)
    from job_history_airflow.factories.google import google_access

    reached = google_access(place.conn_id, place.bucket, named_by)
    return GoogleBucket(reached, prefix=place.prefix, attempts=ATTEMPTS)


def bucket_path(url: str) -> BucketPath:
    """Read `s3://[conn_id@]bucket[/prefix]`; `az://` for a container of Azure, `gs://` for a bucket of Google Cloud.

    Raises PermanentError, which names what is wrong with it.
    """
    parts = _URL.fullmatch(url)
    if parts is None:
        raise PermanentError(
            f"The path {_shown(url)} of the config names no place: write a folder, file:///folder, or "
            "s3://conn_id@bucket/prefix (az:// for Azure, gs:// for Google Cloud)."
        )
    if parts["conn_id"] and not is_connection_id(parts["conn_id"]):
        raise PermanentError(
            f"The path {_shown(url)} of the config has no id of an Airflow connection before the @: write "
            "s3://conn_id@bucket/prefix, and put keys into the connection."
        )
    bucket, prefix = parts["bucket"], (parts["prefix"] or "").strip("/")
    if not _BUCKET.fullmatch(bucket):
        raise PermanentError(
            f"The path {_shown(url)} of the config names the bucket {quoted(bucket)}, which is no legal name: 3 to "
            "63 lower-case letters, digits, dots, hyphens and underscores."
        )
    if not _PREFIX.fullmatch(prefix) or {".", ".."} & set(prefix.split("/")):
        raise PermanentError(
            f"The path {_shown(url)} of the config has the prefix {quoted(prefix)}: use parts of letters, digits and "
            "_ . = - joined by single slashes."
        )
    scheme = parts["scheme"]
    return BucketPath(scheme, parts["conn_id"] or _DEFAULT_CONNECTION[scheme], bucket, prefix)


def _shown(url: str) -> str:
    """Quote a path without what is before its @: keys may have been written there."""
    scheme, separator, rest = url.partition("://")
    before, at, place = rest.rpartition("@")
    shown = before if is_connection_id(before) and ":" not in before else "***"
    return quoted(f"{scheme}{separator}{shown if at else ''}{at}{place}")
