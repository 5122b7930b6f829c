"""Amazon S3, or a store that speaks its protocol, as a destination."""

from job_history.destinations.object_store.destination import ObjectStoreDestination

__all__ = ["ObjectStoreDestination"]
