"""Amazon S3, or a store that speaks its protocol, as a destination."""

from job_history.destinations.s3.destination import S3Destination

__all__ = ["S3Destination"]
