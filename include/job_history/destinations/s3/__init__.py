"""Amazon S3, or a store that speaks its protocol, as a destination."""

from job_history.destinations.s3.destination import S3Destination
from job_history.destinations.s3.store import NO_RETRIES, S3Access, s3_store

__all__ = ["NO_RETRIES", "S3Access", "S3Destination", "s3_store"]
