"""How requests reach a bucket, and what each write carries."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

from job_history.storage.s3.credentials import SessionCredentials

Transport = Literal["auto", "boto3"]
_DEFAULT_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True)
class WriteOptions:
    """What each PUT carries besides the object, as settings of the account."""

    server_side_encryption: str | None = None
    kms_key_id: str | None = None
    acl: str | None = None
    storage_class: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    requester_pays: bool = False
    checksum: Literal["sha256", "none"] = "sha256"

    def headers(self) -> dict[str, str]:
        """Return the headers of a PUT, without checksum and payer."""
        headers = {
            "x-amz-server-side-encryption": self.server_side_encryption,
            "x-amz-server-side-encryption-aws-kms-key-id": self.kms_key_id,
            "x-amz-acl": self.acl,
            "x-amz-storage-class": self.storage_class,
            "x-amz-tagging": urlencode(self.tags),
        }
        return {name: value for name, value in headers.items() if value}

    def arguments(self, content: bytes) -> dict[str, Any]:
        """Return the same as arguments of boto3's `put_object`."""
        checksum = base64.b64encode(hashlib.sha256(content).digest()).decode() if self.checksum == "sha256" else None
        return {**({"ChecksumSHA256": checksum} if checksum else {}), **self.arguments_of_parts()}

    def arguments_of_parts(self) -> dict[str, Any]:
        """Return the same without the checksum, for an upload in parts."""
        arguments = {
            "ServerSideEncryption": self.server_side_encryption,
            "SSEKMSKeyId": self.kms_key_id,
            "ACL": self.acl,
            "StorageClass": self.storage_class,
            "Tagging": urlencode(self.tags),
            **self.payer(),
        }
        return {name: value for name, value in arguments.items() if value}

    def payer(self) -> dict[str, Any]:
        return {"RequestPayer": "requester"} if self.requester_pays else {}


@dataclass(frozen=True)
class S3Connection:
    """What an Airflow connection gives: a boto3 session, and the arguments of its S3 client."""

    session: Any
    endpoint_url: str | None = None
    verify: bool | str | None = None
    config: Any = None

    def client(self, config: Any, verify: bool | str | None = None) -> Any:
        """Make an S3 client. `config`: the whole botocore Config; `verify`: instead of the connection's."""
        return self.session.client(
            "s3",
            endpoint_url=self.endpoint_url,
            config=config,
            verify=self.verify if verify is None else verify,
        )


@dataclass(frozen=True, kw_only=True)
class S3Access:
    """What botocore resolved for the connection's own client, which every client here uses.

    `url` is the bucket's: a request for a key goes to `url/key`. `trust` is True for the certificates of this machine,
    False for any certificate, or the path of a CA bundle. Times in seconds. `attempts` is how often a request is sent
    at most, if the connection sets it. `boto3_because` is the reason why obstore cannot do it, None if it can.
    """

    bucket: str
    url: str
    region: str
    connection: S3Connection
    config: Any
    credentials: SessionCredentials | None
    trust: bool | str
    connect_timeout: float
    read_timeout: float
    attempts: int | None
    max_connections: int | None
    user_agent: str
    options: WriteOptions
    boto3_because: str | None

    @property
    def endpoint(self) -> str:
        """Scheme and host, for messages."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def host(self) -> str:
        """The store's host for receipts, without the bucket."""
        return host_of(self.url, self.bucket)

    @property
    def description(self) -> dict[str, Any]:
        """The bucket as receipts describe it."""
        return {"type": "s3", "bucket": self.bucket, "host": self.host}

    @property
    def about(self) -> str:
        """The bucket as messages name it."""
        return f"Bucket {self.bucket} at {self.endpoint}"


def host_of(url: str, bucket: str = "") -> str:
    """Return the host of a store, from its endpoint or the URL of a bucket of it: `store.example:9000`.

    The port is left out if it is 443. A path between host and bucket belongs to the store: a gateway may have several.
    """
    parts = urlsplit(url)
    host, path = parts.hostname or "", parts.path.strip("/")
    if bucket and f"/{path}".endswith(f"/{bucket}"):
        path = path.removesuffix(bucket).strip("/")
    elif bucket:
        host = host.removeprefix(f"{bucket}.")
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    return "/".join(part for part in (host if port == _DEFAULT_PORTS["https"] else f"{host}:{port}", path) if part)
