"""Documents to deliver, and what became of them."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import msgspec
from botocore.config import Config

from job_history.accounts.destination_settings import S3DestinationSettings
from job_history.destinations import Delivery, Destination
from job_history.documents.object_key import job_key
from job_history.documents.staged import StagedDocument
from job_history.model.ids import Id
from job_history.storage.s3.access import S3Access, S3Connection
from job_history.storage.s3.resolve import resolve
from simulators.s3_endpoint import S3Endpoint

STARTED_AT = datetime(2018, 5, 21, tzinfo=UTC)


def document(job_id: Id, *, title: str = "Grüße, 世界", size: int | None = None, prefix: str = "") -> StagedDocument:
    """A small document, or one of `size` bytes with the newline that ends it."""
    fields = {"id": job_id, "title": title}
    if size is not None:
        rest = size - 1 - len(msgspec.json.encode({**fields, "report": ""}))
        fields["report"] = "x" * rest
    body = msgspec.json.encode(fields)
    key = job_key(prefix=prefix, user_id=5234, recipe_id=234, job_id=job_id, started_at=STARTED_AT, status="succeeded")
    return StagedDocument(
        key=key,
        job_id=job_id,
        completed_at="2018-05-21T00:00:10Z",
        sha256=hashlib.sha256(body + b"\n").hexdigest(),
        body=msgspec.Raw(body),
    )


def documents(count: int) -> Iterator[StagedDocument]:
    return (document(number) for number in range(1, count + 1))


def deliver(to: Destination, stream: Iterable[StagedDocument]) -> list[tuple[str, Delivery]]:
    """Deliver, and return key and outcome of each document that the destination reported, sorted by key."""
    reported: list[tuple[str, Delivery]] = []
    to.deliver(iter(stream), lambda document, delivery, *_: reported.append((document.key, delivery)))
    return sorted(reported)


def settings(**fields: Any) -> S3DestinationSettings:
    return S3DestinationSettings(type="s3", conn_id="acme_s3", **fields)


def access(
    endpoint: S3Endpoint,
    bucket: str,
    *,
    region: str | None = None,
    session: Any = None,
    verify: bool | str | None = None,
    config: Config | None = None,
    **fields: Any,
) -> S3Access:
    """How a session reaches a bucket at an endpoint; `fields` are settings of the account's destination."""
    session = session or boto3.Session(
        aws_access_key_id=endpoint.access_key,
        aws_secret_access_key=endpoint.secret_key,
        region_name=region or "us-east-1",
    )
    chosen = settings(**fields)
    connection = S3Connection(session, endpoint.url, verify, config)
    return resolve(connection, bucket, chosen.write_options, transport=chosen.transport)
