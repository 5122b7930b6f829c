"""From a connection to what its own S3 client would do: the one place where endpoint, region, trust and the rest are
decided.

botocore prepares and signs a request for the bucket, which is not sent. Host, path style, region and signature are read
from it, so partitions, FIPS, dualstack, profiles and access points are as botocore has them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, NoReturn
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.loaders import create_loader

from job_history.errors import PermanentError
from job_history.errors.code import Code
from job_history.storage.problems import Attempted
from job_history.storage.s3.access import S3Access, S3Connection, Transport, WriteOptions
from job_history.storage.s3.boto3_errors import problem_of_boto3
from job_history.storage.s3.credentials import SessionCredentials
from job_history.storage.s3.trust import trust_of

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
_S3_LABEL = re.compile(r"(?:^|\.)s3[a-z-]*\.")
# obstore reads these of the environment if it is not given them, and has no value that means "none".
_OF_OBSTORE = {
    "aws_server_side_encryption": "server_side_encryption",
    "aws_sse_kms_key_id": "kms_key_id",
    "aws_sse_bucket_key_enabled": None,
    "aws_sse_customer_key_base64": None,
    "aws_checksum_algorithm": "checksum",
}
# More is no time-out: obstore holds no larger number.
_MAX_SECONDS = 1_000_000


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
    _check_numbers(config)
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
        token_for_another_host=_sends_a_token(request) and not _is_s3_of_aws(url),
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
        trust=trust_of(session._verify),  # noqa: SLF001
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
    """Raise PermanentError if the URL is no text, or holds a password, which would get into logs."""
    if url is not None and not isinstance(url, str):
        raise _unusable("its endpoint_url is no text", "Correct it.")
    # An S3 endpoint has no such sign anywhere: botocore repeats a URL that it cannot read.
    if url is not None and "@" in url:
        raise _unusable("its endpoint_url holds a user name or a password, which S3 does not use", "Take it out.")


def _check_numbers(config: Any) -> None:
    """Raise PermanentError if a time-out or the size of the pool cannot be that of every client."""
    for name in ("connect_timeout", "read_timeout"):
        seconds = getattr(config, name)
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= _MAX_SECONDS:
            raise _unusable(f"its config_kwargs.{name} is no number of seconds from 0 to {_MAX_SECONDS}", "Correct it.")
    connections = config.max_pool_connections
    if type(connections) is not int or connections < 1:
        raise _unusable("its config_kwargs.max_pool_connections is no whole number from 1 up", "Correct it.")


def _unusable(detail: str, fix: str) -> PermanentError:
    return PermanentError(
        f"The connection cannot be used: {detail}. {fix}", code=Code.CONNECTION_UNUSABLE, detail=detail
    )


def _reason_for_boto3(
    *,
    transport: Transport,
    directory_bucket: bool,
    plain_signature: bool,
    token_for_another_host: bool,
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
        "it has a session token, which obstore would send on if its endpoint, which is not of AWS, redirected it to "
        "another port": token_for_another_host,
        "requests go through a proxy": proxy is not None,
        "the connection has a client certificate": config.client_cert is not None,
        f"this worker's environment has {', '.join(from_environment)}, which obstore would obey": bool(
            from_environment
        ),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def _sends_a_token(request: Any) -> bool:
    return request is not None and "X-Amz-Security-Token" in request.headers


def _is_s3_of_aws(url: str) -> bool:
    """Whether a URL is one of Amazon S3 itself, in any partition. A host of a customer in AWS has no such label."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return parts.scheme == "https" and _S3_LABEL.search(host) is not None and host.endswith(_aws_domains())


@cache
def _aws_domains() -> tuple[str, ...]:
    partitions = create_loader().load_data("partitions")["partitions"]
    return tuple(f".{each['outputs'][name]}" for each in partitions for name in ("dnsSuffix", "dualStackDnsSuffix"))


def _is_given(options: WriteOptions, name: str | None) -> bool:
    return name is not None and getattr(options, name) not in {None, "none"}


def _set_by_user(config: Any, name: str) -> Any:
    return getattr(config, "_user_provided_options", {}).get(name) if config is not None else None


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
