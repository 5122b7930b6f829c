"""The client for the bytes: obstore, many times faster than boto3 at small objects (docs/decisions/0003)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from obstore.store import S3Store

from job_history.accounts.destination_settings import S3DestinationSettings

if TYPE_CHECKING:
    # They exist for type checkers only.
    from obstore.store import ClientConfig, RetryConfig, S3Config

# Few and short: the task's own retries, minutes apart, are the long ones.
RETRIES: RetryConfig = {
    "max_retries": 3,
    "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=10), "base": 2},
    "retry_timeout": timedelta(seconds=60),
}
NO_RETRIES: RetryConfig = {**RETRIES, "max_retries": 0}
"""For a destination, which retries itself."""
REQUEST_TIMEOUT = timedelta(seconds=60)
CONNECT_TIMEOUT = timedelta(seconds=10)


@dataclass(frozen=True)
class S3Access:
    """How a connection reaches a bucket. `credentials` is asked again before they expire."""

    bucket: str
    credentials: Callable[[], Any]
    region: str | None = None
    endpoint_url: str | None = None
    verify: bool = True


def s3_store(
    access: S3Access,
    settings: S3DestinationSettings,
    *,
    prefix: str | None = None,
    retries: RetryConfig = RETRIES,
    request_timeout: timedelta = REQUEST_TIMEOUT,
) -> S3Store:
    """Make the client for an account's bucket. Use it inside a task only: see job_history.storage."""
    config: S3Config = {"bucket": access.bucket, "region": access.region or "us-east-1"}
    if access.endpoint_url:
        config["endpoint"] = access.endpoint_url
    else:
        # A name with dots does not match the store's TLS certificate as a host name.
        config["virtual_hosted_style_request"] = "." not in access.bucket
    if settings.server_side_encryption:
        config["server_side_encryption"] = settings.server_side_encryption
    if settings.kms_key_id:
        config["sse_kms_key_id"] = settings.kms_key_id
    options: ClientConfig = {
        "timeout": request_timeout,
        "connect_timeout": CONNECT_TIMEOUT,
        "allow_http": bool(access.endpoint_url and access.endpoint_url.startswith("http://")),
        "allow_invalid_certificates": not access.verify,
    }
    return S3Store(
        prefix=prefix or None,
        config=config,
        client_options=options,
        retry_config=retries,
        credential_provider=access.credentials,
    )
