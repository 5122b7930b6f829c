"""A bucket or container of Amazon S3, Azure or Google Cloud as a destination."""

from job_history.destinations.object_store.destination import ObjectStoreDestination

__all__ = ["ObjectStoreDestination"]
