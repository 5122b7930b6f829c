"""Documents to deliver, and what became of them."""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from job_history.accounts.destination_settings import S3DestinationSettings
from job_history.destinations import Delivery, Destination
from job_history.destinations.s3 import S3Access
from job_history.documents.object_key import job_key
from job_history.documents.staged import StagedDocument
from job_history.model.ids import Id
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
    to.deliver(iter(stream), lambda document, delivery, _=None: reported.append((document.key, delivery)))
    return sorted(reported)


def settings(**fields: Any) -> S3DestinationSettings:
    return S3DestinationSettings(type="s3", conn_id="acme_s3", **fields)


def access(endpoint: S3Endpoint, bucket: str) -> S3Access:
    return S3Access(
        bucket=bucket,
        credentials=lambda: {
            "access_key_id": endpoint.access_key,
            "secret_access_key": endpoint.secret_key,
            "token": None,
            "expires_at": None,
        },
        endpoint_url=endpoint.url,
    )
