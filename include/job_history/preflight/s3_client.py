"""The client for a probe: boto3, which shows a store's answers in full; documents go by another (docs/decisions/0003)."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any

from job_history.destinations.s3 import S3Access

DEFAULT_REGION = "us-east-1"
CONNECT_SECONDS = 5
READ_SECONDS = 15
# Where Linux distributions keep the certificates that they trust, Debian's first.
_SYSTEM_CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


def probe_client(session: Any, access: S3Access) -> Any:
    """Return an S3 client of a boto3 session that does no more and no less than the one that delivers.

    Raises ValueError where no client can be made for the endpoint or the region.
    """
    from botocore.config import Config  # noqa: PLC0415 - half a second, for those who check

    client = session.client(
        "s3",
        region_name=access.region or DEFAULT_REGION,
        endpoint_url=access.endpoint_url,
        verify=_trusted() if access.verify else False,
        config=Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": 1},
            s3={"addressing_style": "path"} if access.endpoint_url else {},
            # The store need not know newer checksums in a trailer.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            tcp_keepalive=True,
        ),
    )
    client.meta.events.register("before-call.s3", _stay_in_region)
    return client


def _stay_in_region(context: dict[str, Any], **_: Any) -> None:
    """boto3 would follow a bucket to its region without a word; the client that delivers does not."""
    context.setdefault("s3_redirect", {})["redirected"] = True


def _trusted() -> str | None:
    """Return the certificates of the system, which the client that delivers trusts; boto3 would bring its own."""
    named = (os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, *_SYSTEM_CERTIFICATES)
    return next((path for path in named if path and Path(path).is_file()), None)
