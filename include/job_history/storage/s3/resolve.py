"""From a connection to what its own S3 client would do: the one place where endpoint, region, trust and the rest are
decided.

botocore prepares and signs a request for the bucket, which is not sent. Host, path style, region and signature are read
from it, so partitions, FIPS, dualstack, profiles and access points are as botocore has them.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from job_history.errors import PermanentError
from job_history.errors.code import Code
from job_history.storage.s3.access import S3Access, S3Connection, Transport, WriteOptions
from job_history.storage.s3.boto3_errors import problem_of_boto3
from job_history.storage.s3.credentials import SessionCredentials
from job_history.storage.s3.problems import Attempted

DEFAULTS = Config(
    connect_timeout=10,
    read_timeout=60,
    # A store need not know the newer checksums in a trailer; ours are in a header.
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
    tcp_keepalive=True,
)
_KEY = "k"
_SCOPE = re.compile(r"AWS4-HMAC-SHA256 Credential=[^/]+/\d{8}/([^/]+)/([^/]+)/aws4_request")
# obstore reads these of the environment if it is not given them, and has no value that means "none".
_OF_OBSTORE = {
    "aws_server_side_encryption": "server_side_encryption",
    "aws_sse_kms_key_id": "kms_key_id",
    "aws_sse_bucket_key_enabled": None,
    "aws_sse_customer_key_base64": None,
    "aws_checksum_algorithm": "checksum",
}
# Where Linux distributions keep the certificates that they trust, Debian's first.
_SYSTEM_CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")


class _PreparedError(Exception):
    """Carries the prepared request out of botocore."""

    def __init__(self, request: Any) -> None:
        super().__init__("prepared, not sent")
        self.request = request


def resolve(
    connection: S3Connection,
    bucket: str,
    options: WriteOptions | None = None,
    *,
    transport: Transport = "auto",
    environment: Mapping[str, str] = os.environ,
) -> S3Access:
    """Return how the connection reaches the bucket. Sends nothing to the store; a role is assumed for it.

    Raises PermanentError or TransientError if botocore cannot prepare a request; messages begin with the bucket.
    """
    options = options or WriteOptions()
    _check_endpoint(connection.endpoint_url)
    config = DEFAULTS.merge(connection.config) if connection.config is not None else DEFAULTS
    attempted = Attempted("write", "any key", connection.session.region_name or "us-east-1")
    about = f"Bucket {bucket}"
    try:
        client = connection.client(config)
        _check_endpoint(client.meta.endpoint_url)
        directory_bucket = bucket.endswith("--x-s3")
        request = None if directory_bucket else _prepared(client, bucket)
        unsigned = request is not None and "Authorization" not in request.headers and "X-Amz-" not in request.url
        credentials = None if unsigned else SessionCredentials(connection.session)
    except (BotoCoreError, ClientError, ValueError, OSError) as error:
        raise problem_of_boto3(error).error(about, attempted) from None
    authorization = _text(request.headers.get("Authorization", "")) if request is not None else ""
    scope = _SCOPE.match(authorization)
    url = client.meta.endpoint_url if request is None else request.url.split("?")[0].removesuffix(f"/{_KEY}")
    session = client._endpoint.http_session  # noqa: SLF001 - the only place where botocore keeps what it resolved
    because = _reason_for_boto3(
        transport=transport,
        directory_bucket=directory_bucket,
        plain_signature=unsigned or (scope is not None and scope[2] == "s3"),
        proxy=session._proxy_config.proxy_url_for(url),  # noqa: SLF001
        config=client.meta.config,
        options=options,
        environment=environment,
    )
    return S3Access(
        bucket=bucket,
        url=url,
        region=scope[1] if scope else client.meta.region_name,
        connection=connection,
        config=config,
        credentials=credentials,
        trust=_trust(session._verify),  # noqa: SLF001
        connect_timeout=float(client.meta.config.connect_timeout),
        read_timeout=float(client.meta.config.read_timeout),
        attempts=(client.meta.config.retries or {}).get("total_max_attempts"),
        max_connections=_set_by_user(connection.config, "max_pool_connections"),
        user_agent=_text(request.headers["User-Agent"]) if request is not None else "",
        options=options,
        boto3_because=because,
    )


def _prepared(client: Any, bucket: str) -> Any:
    """Return the signed request for an object of the bucket."""

    def take(request: Any, **_: Any) -> NoReturn:
        raise _PreparedError(request)

    client.meta.events.register_first("before-send.s3", take)
    try:
        client.head_object(Bucket=bucket, Key=_KEY)
    except _PreparedError as prepared:
        return prepared.request
    finally:
        client.meta.events.unregister("before-send.s3", take)
    raise AssertionError("botocore sent a request that was only to be prepared")


def _check_endpoint(url: str | None) -> None:
    """Raise PermanentError if the URL holds a password, which would get into logs."""
    if url is not None and "@" in urlsplit(url).netloc:
        raise PermanentError(
            "The endpoint_url of the connection holds a user name or a password, which S3 does not use. Take it out "
            "of the URL.",
            code=Code.CONNECTION_UNUSABLE,
            detail="its endpoint_url holds a user name or a password, which S3 does not use",
        )


def _reason_for_boto3(
    *,
    transport: Transport,
    directory_bucket: bool,
    plain_signature: bool,
    proxy: str | None,
    config: Any,
    options: WriteOptions,
    environment: Mapping[str, str],
) -> str | None:
    """Return why obstore does not support the connection's settings; None if it does."""
    from_environment = sorted(
        name
        for name in environment
        if name.startswith("AWS_") and name.lower() in _OF_OBSTORE and not _is_given(options, _OF_OBSTORE[name.lower()])
    )
    reasons = {
        'the account\'s destination has "transport": "boto3"': transport == "boto3",
        "it is a directory bucket": directory_bucket,
        "it needs another signature than SigV4 for S3": not plain_signature,
        "requests go through a proxy": proxy is not None,
        "the connection has a client certificate": config.client_cert is not None,
        f"this worker's environment has {', '.join(from_environment)}, which obstore would obey": bool(
            from_environment
        ),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _is_given(options: WriteOptions, name: str | None) -> bool:
    return name is not None and getattr(options, name) not in {None, "none"}


def _trust(verify: Any) -> bool | str:
    """Return what botocore verifies certificates against; True for its own list, which becomes this machine's."""
    if verify is True or verify is None:
        return True
    if verify is False:
        return False
    if not Path(verify).is_file():
        raise PermanentError(
            f"The CA bundle {verify!r} is no file (extra `verify` of the connection, or AWS_CA_BUNDLE, "
            "REQUESTS_CA_BUNDLE). Name a file with certificates in PEM; `verify` may also be true or false, without "
            "quotation marks.",
            code=Code.S3_TLS_FAILED,
            detail=f"the CA bundle {verify!r} is no file",
        )
    return str(verify)


def system_certificates() -> str | None:
    """Return the file with the certificates that this machine trusts; None if it is not known."""
    named = (os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile, *_SYSTEM_CERTIFICATES)
    return next((path for path in named if path and Path(path).is_file()), None)


def _set_by_user(config: Any, name: str) -> Any:
    return getattr(config, "_user_provided_options", {}).get(name) if config is not None else None


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
