"""Does the judge judge? What a simulated S3 endpoint lets pass, Ceph's gateway has to refuse."""

import base64
import hashlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any
from uuid import uuid4

import obstore
import psutil
import pytest
from botocore.exceptions import ClientError
from obstore.exceptions import AlreadyExistsError, PermissionDeniedError
from obstore.store import S3Store
from tests.support.ceph_rgw import CephGateway, ceph_rgw
from tests.support.debian_packages import PackagesUnavailable
from tests.support.deliveries import access

from job_history.errors import PermanentError
from job_history.errors.code import Code
from job_history.preflight.create_only import check_create_only
from job_history.storage import Storage, local_storage
from job_history.storage.s3.open_bucket import open_bucket
from simulators.processes import ProcessFailedError
from simulators.s3_endpoint import S3Endpoint

pytestmark = pytest.mark.ceph

KEY = "1234/jobs/456/20220614/000/000/789/1234-456-789-20220614091500-succeeded.json"
DOCUMENT = '{"id":789,"title":"Grüße, 世界"}\n'.encode()
OTHER_DOCUMENT = b'{"id":789,"title":"something else"}\n'


@pytest.fixture
def bucket(ceph: CephGateway) -> str:
    name = f"judged-{uuid4()}"
    ceph.create_bucket(name)
    return name


def store(gateway: CephGateway, bucket: str) -> S3Store:
    return S3Store(
        bucket,
        endpoint=gateway.url,
        region="us-east-1",
        access_key_id=gateway.access_key,
        secret_access_key=gateway.secret_key,
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )


def create(to: S3Store, document: bytes) -> Any:
    return obstore.put(
        to,
        KEY,
        document,
        mode="create",
        use_multipart=False,
        attributes={"Content-Type": "application/json", "sha256": hashlib.sha256(document).hexdigest()},
    )


def refusal(error: ClientError) -> tuple[int, str]:
    return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]


def objects(gateway: CephGateway, bucket: str) -> dict[str, bytes]:
    client = gateway.client()
    listed = client.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {each["Key"]: client.get_object(Bucket=bucket, Key=each["Key"])["Body"].read() for each in listed}


def versions(gateway: CephGateway, bucket: str) -> Counter[str]:
    return Counter(each["Key"] for each in gateway.client().list_object_versions(Bucket=bucket).get("Versions", []))


@pytest.mark.parametrize(
    ("wrong", "code"),
    [({"secret_key": "not-the-secret"}, "SignatureDoesNotMatch"), ({"access_key": "NOBODY"}, "InvalidAccessKeyId")],
    ids=["secret key", "access key"],
)
def test_wrong_keys_are_refused(ceph: CephGateway, bucket: str, wrong: dict[str, str], code: str) -> None:
    with pytest.raises(ClientError) as refused:
        replace(ceph, **wrong).client().put_object(Bucket=bucket, Key=KEY, Body=DOCUMENT)

    assert refusal(refused.value) == (403, code)
    assert objects(ceph, bucket) == {}


def test_bytes_that_do_not_match_their_checksum_are_refused(ceph: CephGateway, bucket: str) -> None:
    def put_with_checksum_of(promised: bytes) -> None:
        checksum = base64.b64encode(hashlib.md5(promised, usedforsecurity=False).digest()).decode()
        ceph.client().put_object(Bucket=bucket, Key=KEY, Body=DOCUMENT, ContentMD5=checksum)

    with pytest.raises(ClientError) as refused:
        put_with_checksum_of(OTHER_DOCUMENT)

    assert refusal(refused.value) == (400, "BadDigest")
    assert objects(ceph, bucket) == {}

    put_with_checksum_of(DOCUMENT)
    assert objects(ceph, bucket) == {KEY: DOCUMENT}


def test_a_key_is_created_once(ceph: CephGateway, bucket: str) -> None:
    ceph.client().put_object(Bucket=bucket, Key=KEY, Body=DOCUMENT, IfNoneMatch="*")

    with pytest.raises(ClientError) as refused:
        ceph.client().put_object(Bucket=bucket, Key=KEY, Body=OTHER_DOCUMENT, IfNoneMatch="*")

    assert refusal(refused.value) == (412, "PreconditionFailed")
    assert objects(ceph, bucket) == {KEY: DOCUMENT}


def test_of_twenty_writers_of_one_key_one_wins(ceph: CephGateway, bucket: str) -> None:
    writers = 20
    client = ceph.client()
    all_are_ready = Barrier(writers)

    def write(writer: int) -> tuple[int, str]:
        all_are_ready.wait(timeout=30)
        try:
            client.put_object(Bucket=bucket, Key=KEY, Body=f"writer {writer}".encode(), IfNoneMatch="*")
        except ClientError as error:
            return refusal(error)
        return 200, "OK"

    with ThreadPoolExecutor(writers) as pool:
        answers = list(pool.map(write, range(writers)))

    assert Counter(answers) == {(200, "OK"): 1, (412, "PreconditionFailed"): 19}
    assert objects(ceph, bucket) == {KEY: f"writer {answers.index((200, 'OK'))}".encode()}


def test_a_create_through_obstore_keeps_bytes_and_metadata(ceph: CephGateway, bucket: str) -> None:
    destination = store(ceph, bucket)
    etag = f'"{hashlib.md5(DOCUMENT, usedforsecurity=False).hexdigest()}"'

    assert create(destination, DOCUMENT) == {"e_tag": etag, "version": None}

    stored = obstore.get(destination, KEY)
    assert stored.bytes() == DOCUMENT
    assert stored.attributes == {
        "Content-Type": "application/json",
        "sha256": hashlib.sha256(DOCUMENT).hexdigest(),
    }
    seen_by_boto3 = ceph.client().head_object(Bucket=bucket, Key=KEY)
    assert (seen_by_boto3["ContentType"], seen_by_boto3["Metadata"], seen_by_boto3["ETag"]) == (
        "application/json",
        {"sha256": hashlib.sha256(DOCUMENT).hexdigest()},
        etag,
    )


@pytest.mark.parametrize("again", [DOCUMENT, OTHER_DOCUMENT], ids=["same bytes", "other bytes"])
def test_a_repeated_create_through_obstore_changes_nothing(ceph: CephGateway, bucket: str, again: bytes) -> None:
    destination = store(ceph, bucket)
    create(destination, DOCUMENT)
    before = obstore.head(destination, KEY)

    for _ in range(3):
        with pytest.raises(AlreadyExistsError):
            create(destination, again)

    assert obstore.head(destination, KEY) == before
    assert objects(ceph, bucket) == {KEY: DOCUMENT}
    assert versions(ceph, bucket) == {KEY: 1}


def test_obstore_signs_what_the_gateway_checks(ceph: CephGateway, bucket: str) -> None:
    with pytest.raises(PermissionDeniedError, match=r"403 Forbidden.*SignatureDoesNotMatch"):
        create(store(replace(ceph, secret_key="not-the-secret"), bucket), DOCUMENT)

    assert objects(ceph, bucket) == {}


def test_where_versions_are_kept_this_judge_is_blind(ceph: CephGateway) -> None:
    """Ceph 16 ignores `If-None-Match` in such a bucket, Amazon S3 does not.

    When this fails, Ceph has learnt it: let it judge versioned buckets too, and drop `CephGateway.create_bucket`.
    """
    bucket = f"versioned-{uuid4()}"
    ceph.create_bucket(bucket, versioned=True)
    destination = store(ceph, bucket)

    for document in (DOCUMENT, DOCUMENT, OTHER_DOCUMENT):
        create(destination, document)

    assert versions(ceph, bucket) == {KEY: 3}
    assert objects(ceph, bucket) == {KEY: OTHER_DOCUMENT}


@pytest.mark.promise("ledger-create-only")
@pytest.mark.parametrize("versioned", [False, True])
def test_a_ledger_in_a_bucket_that_ignores_create_only_is_refused(
    ceph: CephGateway, tmp_path: Path, versioned: bool
) -> None:
    bucket = f"ledger-{uuid4()}"
    ceph.create_bucket(bucket, versioned=versioned)
    of_bucket = access(S3Endpoint(ceph.url, ceph.access_key, ceph.secret_key), bucket)
    ledger = Storage(open_bucket(of_bucket), f"s3://{bucket}")

    if not versioned:
        check_create_only(ledger, local_storage(tmp_path))
        return
    with pytest.raises(PermanentError) as refused:
        check_create_only(ledger, local_storage(tmp_path))
    assert refused.value.code is Code.LEDGER_NOT_CREATE_ONLY


def processes_of(directory: Path) -> list[str]:
    """The commands that run with `directory` among their arguments."""
    commands = [" ".join(each.info["cmdline"] or []) for each in psutil.process_iter(["cmdline"])]
    return [command for command in commands if str(directory) in command]


@pytest.mark.usefixtures("ceph")
def test_no_process_is_left(tmp_path: Path) -> None:
    with ceph_rgw(tmp_path) as gateway:
        gateway.create_bucket("left-over")
        programs = sorted(Path(command.split()[0]).name for command in processes_of(tmp_path))
        assert programs == ["ceph-mon", "ceph-osd", "radosgw"]

    assert processes_of(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("ceph")
def test_a_start_that_fails_half_way_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "bin" / "radosgw"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho no gateway today >&2\nexit 7\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(broken.parent), prepend=":")
    directory = tmp_path / "ceph"
    directory.mkdir()

    with pytest.raises(ProcessFailedError, match=r"(?s)exit code 7.*no gateway today"), ceph_rgw(directory):
        pass

    assert processes_of(directory) == []
    assert list(directory.iterdir()) == []


def test_missing_packages_are_named_with_how_to_install_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(PackagesUnavailable) as unavailable, ceph_rgw(tmp_path):
        pass

    assert str(unavailable.value) == (
        "Ceph is not installed (ceph, ceph-mon, ceph-osd, monmaptool, radosgw, radosgw-admin missing), and there is no "
        "apt-get here to install it with. On Debian 12, as root: "
        "apt-get install --no-install-recommends ceph-mon ceph-osd radosgw ceph-common"
    )
