"""What a destination with keys promises, held against a simulator that keeps versions and a real store that checks."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec
import psutil
import pytest
from tests.support.deliveries import access, deliver, document, documents

from job_history.destinations import Delivery
from job_history.destinations.object_store import ObjectStoreDestination
from job_history.documents.staged import StagedDocument
from job_history.errors import PermanentError, TransientError
from job_history.storage.s3.open_bucket import open_bucket
from job_history.testing.destinations import StoreContract
from simulators.s3_endpoint import S3Endpoint

DELIVERED, ALREADY_PRESENT, CONFLICT = Delivery.DELIVERED, Delivery.ALREADY_PRESENT, Delivery.CONFLICT
KEY = "5234/jobs/234/20180521/000/000/000/000/000/000/100/5234-234-100-20180521000000-succeeded.json"
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Bucket:
    """A bucket of a test's own. It keeps versions, except on Ceph, which forgets about create-only in such a one."""

    endpoint: S3Endpoint
    name: str
    transport: str = "auto"

    def destination(
        self,
        *,
        in_flight: int = 16,
        overwrite: bool = False,
        repair: bool = False,
        dry_run: bool = False,
        **fields: Any,
    ) -> Any:
        found = access(self.endpoint, self.name, transport=self.transport, **fields)
        bucket = open_bucket(found, concurrency=in_flight)
        return ObjectStoreDestination(
            bucket,
            in_flight=in_flight,
            write_mode="overwrite" if overwrite else "create_only",
            repair=repair,
            dry_run=dry_run,
        )

    def objects(self) -> dict[str, bytes]:
        client = self.endpoint.client()
        return {key: client.get_object(Bucket=self.name, Key=key)["Body"].read() for key in self.digests()}

    def digests(self) -> dict[str, str]:
        """The MD5 of each object, without reading them all."""
        pages = self.endpoint.client().get_paginator("list_objects_v2").paginate(Bucket=self.name)
        return {each["Key"]: each["ETag"].strip('"') for page in pages for each in page.get("Contents", [])}

    def versions(self) -> Counter[str]:
        pages = self.endpoint.client().get_paginator("list_object_versions").paginate(Bucket=self.name)
        return Counter(each["Key"] for page in pages for each in page.get("Versions", []))

    def put_in_parts(self, key: str, content: bytes) -> str:
        """Put an object whose ETag is not the MD5 of its bytes, as one under a KMS key has; returns that ETag."""
        client, place = self.endpoint.client(), {"Bucket": self.name, "Key": key}
        upload = client.create_multipart_upload(**place)["UploadId"]
        part = client.upload_part(**place, UploadId=upload, PartNumber=1, Body=content)
        parts = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
        etag: str = client.complete_multipart_upload(**place, UploadId=upload, MultipartUpload=parts)["ETag"]
        return etag.strip('"')


@pytest.fixture(params=["auto", "boto3"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["moto", pytest.param("ceph", marks=pytest.mark.ceph)])
def bucket(request: pytest.FixtureRequest, transport: str) -> Bucket:
    endpoint = request.getfixturevalue(request.param)
    name = f"acme-{uuid4()}"
    endpoint.create_bucket(name)
    return Bucket(endpoint, name, transport)


@pytest.fixture
def moto_bucket(moto: S3Endpoint, transport: str) -> Bucket:
    name = f"acme-{uuid4()}"
    moto.create_bucket(name)
    return Bucket(moto, name, transport)


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.mark.promise("object-metadata")
def test_a_document_has_its_key_bytes_type_and_digest(bucket: Bucket) -> None:
    assert deliver(bucket.destination(), [document(100)]) == [(KEY, DELIVERED)]

    content = '{"id":100,"title":"Grüße, 世界"}\n'.encode()
    assert bucket.objects() == {KEY: content}
    head = bucket.endpoint.client().head_object(Bucket=bucket.name, Key=KEY)
    assert (head["ContentType"], head["ContentLength"], head["Metadata"]) == (
        "application/json",
        len(content),
        {"sha256": hashlib.sha256(content).hexdigest()},
    )


def test_a_handle_and_a_prefix_stand_in_the_key_as_they_are(bucket: Bucket) -> None:
    given = document("j-KGAKfhsz-GYoLeD", prefix="audit/year=2018")
    key = "audit/year=2018/5234/jobs/234/20180521/j-KGAKfhsz-GYoLeD/5234-234-j-KGAKfhsz-GYoLeD-20180521000000-succeeded.json"  # noqa: E501

    assert deliver(bucket.destination(prefix="audit/year=2018"), [given]) == [(key, DELIVERED)]

    assert bucket.objects() == {key: given.content()}


def test_an_empty_stream_delivers_nothing(bucket: Bucket) -> None:
    assert deliver(bucket.destination(), []) == []
    assert bucket.objects() == {}


@pytest.mark.promise("create-only")
def test_the_same_document_again_is_already_present(bucket: Bucket) -> None:
    deliver(bucket.destination(), [document(100)])

    assert deliver(bucket.destination(), [document(100)]) == [(KEY, ALREADY_PRESENT)]

    assert (bucket.objects(), bucket.versions()) == ({KEY: document(100).content()}, {KEY: 1})


@pytest.mark.promise("item-list")
def test_each_delivery_reports_etag_and_version_of_the_object(bucket: Bucket) -> None:
    reported: list[tuple[Any, ...]] = []

    for _ in range(2):
        bucket.destination().deliver(iter([document(100)]), lambda *delivery: reported.append(delivery))

    [listed] = bucket.endpoint.client().list_object_versions(Bucket=bucket.name)["Versions"]
    # A bucket that keeps no versions lists the version `null`, and reports none.
    version_id = None if listed["VersionId"] == "null" else listed["VersionId"]
    assert reported == [(document(100), how, listed["ETag"], version_id) for how in (DELIVERED, ALREADY_PRESENT)]


@pytest.mark.promise("create-only")
@pytest.mark.parametrize("other", ["HELLO world", "hello"], ids=["same size", "other size"])
def test_other_bytes_under_the_key_are_a_conflict_and_stay(bucket: Bucket, other: str) -> None:
    deliver(bucket.destination(), [document(100, title="hello world")])
    reported: list[tuple[Any, ...]] = []

    given = document(100, title=other)
    bucket.destination().deliver(iter([given]), lambda *delivery: reported.append(delivery))

    assert [(document, delivery) for document, delivery, *_ in reported] == [(given, CONFLICT)]
    assert (bucket.objects(), bucket.versions()) == ({KEY: document(100, title="hello world").content()}, {KEY: 1})


def test_repair_replaces_what_differs_and_nothing_else(bucket: Bucket) -> None:
    deliver(bucket.destination(), [document(100, title="hello"), document(101)])

    reported = deliver(bucket.destination(repair=True), [document(100), document(101), document(102)])

    assert [delivery for _, delivery in reported] == [DELIVERED, ALREADY_PRESENT, DELIVERED]
    expected = {each.key: each.content() for each in (document(100), document(101), document(102))}
    assert bucket.objects() == expected
    if bucket.versions()[KEY] > 1:  # a bucket that keeps versions has the replaced object as an older one
        assert bucket.versions() == {document(100).key: 2, document(101).key: 1, document(102).key: 1}


def test_overwrite_replaces_any_object_and_is_in_the_description(bucket: Bucket) -> None:
    destination = bucket.destination(overwrite=True)
    deliver(destination, [document(100, title="hello")])

    assert deliver(destination, [document(100)]) == [(KEY, DELIVERED)]

    assert bucket.objects() == {KEY: document(100).content()}
    assert destination.description()["write_mode"] == "overwrite"


def test_create_only_is_the_default_and_is_in_the_description(bucket: Bucket) -> None:
    assert bucket.destination().description() == {
        "type": "s3",
        "bucket": bucket.name,
        "host": bucket.endpoint.url.removeprefix("http://"),
        "write_mode": "create_only",
    }


def test_two_thousand_documents_arrive_once_each(bucket: Bucket) -> None:
    reported = deliver(bucket.destination(in_flight=64), documents(2_000))

    expected = {each.key: md5(each.content()) for each in documents(2_000)}
    assert reported == [(key, DELIVERED) for key in sorted(expected)]
    assert bucket.digests() == expected


@pytest.mark.promise("diff")
@pytest.mark.parametrize("overwrite", [False, True])
def test_dry_run_reports_what_a_delivery_would_do_and_writes_nothing(moto_bucket: Bucket, overwrite: bool) -> None:
    same, altered, in_parts, missing = document(100), document(101), document(102), document(103)
    deliver(moto_bucket.destination(), [same])
    moto_bucket.endpoint.client().put_object(Bucket=moto_bucket.name, Key=altered.key, Body=b"of another program")
    moto_bucket.put_in_parts(in_parts.key, in_parts.content())
    before = moto_bucket.versions()

    reported = deliver(moto_bucket.destination(dry_run=True, overwrite=overwrite), [same, altered, in_parts, missing])

    assert dict(reported) == {
        same.key: ALREADY_PRESENT,
        altered.key: CONFLICT,
        in_parts.key: ALREADY_PRESENT,
        missing.key: DELIVERED,
    }
    assert moto_bucket.versions() == before


def test_a_dry_run_on_a_bucket_that_is_not_there_fails(moto: S3Endpoint) -> None:
    with pytest.raises(PermanentError, match="NoSuchBucket"):
        deliver(Bucket(moto, "no-such-bucket").destination(dry_run=True), [document(100)])


@pytest.mark.promise("one-version")
def test_deliveries_at_the_same_time_write_each_key_once(bucket: Bucket) -> None:
    with ThreadPoolExecutor(3) as pool:
        tellings = list(pool.map(lambda _: deliver(bucket.destination(), documents(100)), range(3)))
    tellings.append(deliver(bucket.destination(), documents(100)))

    keys = sorted(each.key for each in documents(100))
    assert [[key for key, _ in reported] for reported in tellings] == [keys] * 4
    assert Counter(delivery for reported in tellings for _, delivery in reported) == {
        DELIVERED: 100,
        ALREADY_PRESENT: 300,
    }
    assert bucket.digests() == {each.key: md5(each.content()) for each in documents(100)}
    assert bucket.versions() == dict.fromkeys(keys, 1)


@pytest.mark.promise("bounded-memory")
def test_large_documents_are_not_in_memory_together(bucket: Bucket) -> None:
    process = psutil.Process(os.getpid())
    deliver(bucket.destination(in_flight=256), [document(0, size=5 * MEGABYTE)])  # what the first one costs once
    before = process.memory_info().rss
    growth: list[int] = []

    def large() -> Iterator[StagedDocument]:
        for number in range(1, 25):
            growth.append(process.memory_info().rss - before)
            yield document(number, size=5 * MEGABYTE)

    reported = deliver(bucket.destination(in_flight=256), large())

    assert [delivery for _, delivery in reported] == [DELIVERED] * 24
    assert max(growth) < 80 * MEGABYTE  # of 120: three at a time, each also as the bytes on the wire
    assert set(bucket.digests().values()) == {md5(document(n, size=5 * MEGABYTE).content()) for n in range(25)}


def test_an_etag_that_is_no_md5_is_settled_by_the_bytes(bucket: Bucket) -> None:
    same, other = document(1, title="same size"), document(2, title="some size")
    etags = [
        bucket.put_in_parts(same.key, same.content()),
        bucket.put_in_parts(other.key, document(2, title="same size").content()),
    ]
    assert md5(same.content()) not in etags

    reported = deliver(bucket.destination(), [same, other])

    assert reported == [(same.key, ALREADY_PRESENT), (other.key, CONFLICT)]
    assert bucket.objects() == {same.key: same.content(), other.key: document(2, title="same size").content()}


def test_a_stream_that_breaks_keeps_what_was_delivered_and_a_second_one_completes(bucket: Bucket) -> None:
    def breaking() -> Iterator[StagedDocument]:
        yield from documents(30)
        raise TransientError("the staged file was not written to its end")

    reported: list[tuple[str, Delivery]] = []
    with pytest.raises(TransientError, match=r"^the staged file was not written to its end$"):
        bucket.destination(in_flight=4).deliver(
            breaking(), lambda document, how, *_: reported.append((document.key, how))
        )
    there = bucket.digests()
    assert {key for key, _ in reported} <= set(there)

    again = deliver(bucket.destination(), documents(40))

    assert [key for key, _ in again] == sorted(each.key for each in documents(40))
    # A PUT that was given up may arrive all the same, after we looked.
    assert {delivery for key, delivery in again if key in there} == {ALREADY_PRESENT}
    assert bucket.digests() == {each.key: md5(each.content()) for each in documents(40)}
    assert set(bucket.versions().values()) == {1}


KMS_KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.promise("encryption")
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"server_side_encryption": "AES256"}, ("AES256", None)),
        ({"server_side_encryption": "aws:kms", "kms_key_id": KMS_KEY}, ("aws:kms", KMS_KEY)),
    ],
    ids=["AES256", "aws:kms"],
)
def test_encryption_reaches_the_store(moto_bucket: Bucket, fields: dict[str, str], expected: tuple[str, str]) -> None:
    assert deliver(moto_bucket.destination(**fields), [document(100)]) == [(KEY, DELIVERED)]

    head = moto_bucket.endpoint.client().head_object(Bucket=moto_bucket.name, Key=KEY)
    assert (head.get("ServerSideEncryption"), head.get("SSEKMSKeyId")) == expected
    assert deliver(moto_bucket.destination(**fields), [document(100)]) == [(KEY, ALREADY_PRESENT)]


def test_a_description_can_be_written_into_a_receipt_and_holds_no_secret(moto_bucket: Bucket) -> None:
    text = msgspec.json.encode(
        moto_bucket.destination(server_side_encryption="aws:kms", kms_key_id=KMS_KEY).description()
    )
    assert moto_bucket.endpoint.secret_key.encode() not in text
    assert moto_bucket.endpoint.access_key.encode() not in text


class TestImportableSuite(StoreContract):
    """What packages of others run against their own kinds holds for ours."""

    @pytest.fixture(autouse=True)
    def _bucket(self, bucket: Bucket) -> None:
        self.bucket = bucket

    def destination(self, **options: Any) -> ObjectStoreDestination:
        made: ObjectStoreDestination = self.bucket.destination(**options)
        return made

    def stored(self) -> dict[str, bytes]:
        return self.bucket.objects()

    def test_after_a_kill_the_next_delivery_completes_the_place(self) -> None:
        pytest.skip("threads of obstore do not survive a fork; docs/crash-matrix.md has the kills")
