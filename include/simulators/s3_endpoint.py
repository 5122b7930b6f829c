"""A local S3 endpoint: moto's server, as a child process.

It answers as S3 does in what this project relies on (conditional PUT, metadata, versions), but accepts any signature
and any checksum: a stricter judge is needed for those.
"""

import json
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from .processes import ChildProcess, free_port

DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True)
class S3Endpoint:
    """Where the endpoint listens, and credentials that it accepts (it accepts all)."""

    url: str
    access_key: str = "local-s3-user"
    secret_key: str = field(default_factory=lambda: secrets.token_urlsafe(30), repr=False)

    def client(self, region: str = DEFAULT_REGION) -> Any:
        """A boto3 S3 client for this endpoint."""
        return boto3.client(
            "s3",
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            config=Config(s3={"addressing_style": "path"}),
        )

    def create_bucket(self, name: str, *, versioned: bool = True, region: str = DEFAULT_REGION) -> None:
        """Create a bucket; with versions by default, so that a second write of a key can be seen."""
        client = self.client(region)
        # us-east-1 is the one region that S3 refuses to hear named here.
        place = {} if region == DEFAULT_REGION else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        client.create_bucket(Bucket=name, **place)
        if versioned:
            client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})

    def airflow_connection(self, *, bucket: str | None = None) -> str:
        """The JSON of an Airflow connection of type `aws`, for an AIRFLOW_CONN_ variable. Holds the secret key."""
        extra: dict[str, Any] = {"endpoint_url": self.url, "region_name": DEFAULT_REGION}
        if bucket is not None:
            extra["service_config"] = {"s3": {"bucket_name": bucket}}
        return json.dumps(
            {"conn_type": "aws", "login": self.access_key, "password": self.secret_key, "extra": extra},
        )


@contextmanager
def local_s3(log_directory: Path) -> Iterator[S3Endpoint]:
    """Run an S3 endpoint on a free port of 127.0.0.1, its log in `log_directory`/s3_endpoint.log.

    Its objects are in memory and end with it. Raises `ProcessFailedError` when it does not start.
    """
    port = free_port()
    server = ChildProcess(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        log_path=log_directory / "s3_endpoint.log",
        ready=port,
    )
    with server:
        yield S3Endpoint(url=f"http://127.0.0.1:{port}")
