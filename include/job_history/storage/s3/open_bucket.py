"""Choose the client for a bucket."""

from __future__ import annotations

import logging

from job_history.storage.s3.access import S3Access
from job_history.storage.s3.boto3_bucket import Boto3Bucket
from job_history.storage.s3.bucket import Bucket
from job_history.storage.s3.obstore_bucket import ObstoreBucket

log = logging.getLogger(__name__)


# boto3 gains nothing by more threads than that.
MAX_BOTO3_THREADS = 64


def concurrency_of(access: S3Access, wanted: int) -> int:
    """Return how many requests may be under way: those wanted, within the connection's pool and what the client can
    use.
    """
    limits = [wanted, access.max_connections, MAX_BOTO3_THREADS if access.boto3_because else None]
    return min(limit for limit in limits if limit is not None)


def open_bucket(access: S3Access, *, prefix: str = "", concurrency: int = 16, attempts: int = 1) -> Bucket:
    """Return a client of the bucket: obstore if it supports the connection's settings, else boto3, with a log line why.

    `attempts` is how often the client itself sends a request at most. Use it inside a task only: see
    job_history.storage.
    """
    if access.boto3_because is None:
        return ObstoreBucket(access, prefix=prefix, attempts=attempts)
    log.info("%s is used through boto3, because %s.", access.about, access.boto3_because)
    return Boto3Bucket(access, prefix=prefix, concurrency=concurrency, attempts=attempts)
