"""How a connection reaches a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from job_history.accounts.destination_settings import S3DestinationSettings
from job_history.errors import PermanentError
from job_history_airflow.factories.connections import find_connection

if TYPE_CHECKING:
    from job_history.destinations.s3 import S3Access


def s3_access(settings: S3DestinationSettings, whose: str) -> tuple[Any, S3Access]:
    """Return the connection's boto3 session, and how it reaches the bucket. Raises PermanentError, which names `whose`."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook
    from obstore.auth.boto3 import Boto3CredentialProvider

    from job_history.destinations.s3 import S3Access

    # The hook itself would fall back to the machine's own credentials where the connection does not exist.
    find_connection(settings.conn_id, f"destination.conn_id of {whose}")
    hook = S3Hook(aws_conn_id=settings.conn_id)
    bucket = settings.bucket or hook.service_config.get("bucket_name")
    if not bucket:
        raise PermanentError(
            f"Neither destination.bucket of {whose} nor the connection {settings.conn_id!r} (extra "
            "service_config.s3.bucket_name) names a bucket. Set one of them."
        )
    session = hook.get_session(region_name=hook.region_name)
    if session.get_credentials() is None:
        raise PermanentError(
            f"The connection {settings.conn_id!r} of {whose} has no credentials, and this machine has none either. Give it "
            "an access key, or a role to assume."
        )
    access = S3Access(
        bucket=bucket,
        credentials=Boto3CredentialProvider(session),
        region=session.region_name,
        endpoint_url=hook.conn_config.get_service_endpoint_url("s3"),
        verify=hook.verify is not False,
    )
    return session, access
