"""Where the ledger and staged files are kept."""

from __future__ import annotations

import re
from typing import NamedTuple

from job_history.errors import PermanentError
from job_history.errors.quoting import quoted
from job_history.model.settings_model import is_connection_id
from job_history.storage import Storage, folder_of, local_storage
from job_history_airflow.settings import read_shared_group

# Of each request; a task has retries of its own, minutes apart.
ATTEMPTS = 4
_URL = re.compile(r"s3://(?:(?P<conn_id>[^@/]*)@)?(?P<bucket>[^/@]*)(?:/(?P<prefix>.*))?", re.DOTALL)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"(?:[A-Za-z0-9_.=-]+(?:/[A-Za-z0-9_.=-]+)*)?")


class BucketPath(NamedTuple):
    """A place in a bucket, as a path of the config names it."""

    conn_id: str
    bucket: str
    prefix: str


def storage_at(url: str) -> Storage:
    """Return the storage that a path of the config names: a folder, or `s3://[conn_id@]bucket[/prefix]`."""
    if (folder := folder_of(url)) is not None:
        return local_storage(folder, shared_group=read_shared_group())
    place = bucket_path(url)
    # A command that reads a ledger in a folder need not wait for the clients of a bucket.
    from job_history.storage.s3.open_bucket import open_bucket
    from job_history_airflow.factories.s3 import bucket_access

    access = bucket_access(place.conn_id, place.bucket, f"the path {_shown(url)} of the config")
    bucket = open_bucket(access, prefix=place.prefix, attempts=access.attempts or ATTEMPTS)
    return Storage(bucket, f"s3://{place.bucket}" + (f"/{place.prefix}" if place.prefix else ""))


def bucket_path(url: str) -> BucketPath:
    """Read `s3://[conn_id@]bucket[/prefix]`. Raises PermanentError, which names what is wrong with it."""
    parts = _URL.fullmatch(url)
    if parts is None:
        raise PermanentError(
            f"The path {_shown(url)} of the config names no place: write a folder, file:///folder or "
            "s3://conn_id@bucket/prefix."
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
            "63 lower-case letters, digits, dots and hyphens."
        )
    if not _PREFIX.fullmatch(prefix) or {".", ".."} & set(prefix.split("/")):
        raise PermanentError(
            f"The path {_shown(url)} of the config has the prefix {quoted(prefix)}: use parts of letters, digits and "
            "_ . = - joined by single slashes."
        )
    return BucketPath(parts["conn_id"] or "aws_default", bucket, prefix)


def _shown(url: str) -> str:
    """Quote a path without what is before its @: keys may have been written there."""
    scheme, separator, rest = url.partition("://")
    before, at, place = rest.rpartition("@")
    shown = before if is_connection_id(before) and ":" not in before else "***"
    return quoted(f"{scheme}{separator}{shown if at else ''}{at}{place}")
