"""A store as strict as a bucket of Amazon S3 can be: checksums, sessions that end, host names, regions.

On both clients.
"""

import asyncio
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from tests.support.deliveries import access, deliver, document
from tests.support.scripted_s3 import Page, Refusal, ScriptedS3, scripted_s3

from job_history.destinations import Delivery
from job_history.destinations.object_store import ObjectStoreDestination
from job_history.documents.staged import StagedDocument
from job_history.errors import PermanentError, ReplicationError, TransientError
from job_history.errors.code import Code
from job_history.storage.s3 import credentials, resolve
from job_history.storage.s3.open_bucket import open_bucket
from simulators.s3_endpoint import S3Endpoint

BUCKET = "acme-audit"
DOCUMENTS = [document(number) for number in range(1, 16)]


@pytest.fixture(params=["auto", "boto3"])
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store() -> Iterator[ScriptedS3]:
    with scripted_s3(BUCKET) as store:
        yield store


def destination(store: ScriptedS3, url: str | None = None, **options: Any) -> ObjectStoreDestination:
    return ObjectStoreDestination(
        open_bucket(access(S3Endpoint(url or store.url), BUCKET, **options)), in_flight=4, waits=[0.01]
    )


def refusal(to: ObjectStoreDestination) -> Code | None:
    with pytest.raises(PermanentError) as raised:
        deliver(to, DOCUMENTS[:1])
    return raised.value.code


@pytest.mark.promise("s3-checksums")
def test_a_bucket_that_demands_checksums_gets_one_with_each_put(store: ScriptedS3, transport: str) -> None:
    store.demands.checksum = True

    deliver(destination(store, transport=transport), DOCUMENTS)

    assert store.objects == {each.key: each.content() for each in DOCUMENTS}
    assert refusal(destination(store, transport=transport, checksum="none", write_mode="overwrite")) is (
        Code.S3_CHECKSUM_REQUIRED
    )


def test_settings_of_the_account_are_headers_of_each_put_and_of_no_other_request(
    store: ScriptedS3, transport: str
) -> None:
    settings = {
        "acl": "bucket-owner-full-control",
        "storage_class": "STANDARD_IA",
        "tags": {"team": "audit + risk"},
        "server_side_encryption": "aws:kms",
        "kms_key_id": "alias/audit",
        "requester_pays": True,
    }

    for _ in range(2):
        deliver(destination(store, transport=transport, **settings), DOCUMENTS[:1])

    put, *others = [seen for seen in store.seen if seen.method == "PUT"]
    for name, value in {
        "x-amz-acl": "bucket-owner-full-control",
        "x-amz-storage-class": "STANDARD_IA",
        "x-amz-tagging": "team=audit+%2B+risk",
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": "alias/audit",
    }.items():
        assert put.headers[name] == value
        assert name in put.headers["authorization"], "S3 refuses headers of its own that are not signed"
        assert [seen.method for seen in store.seen if name in seen.headers] == ["PUT"] * (1 + len(others))
    assert all(seen.headers.get("x-amz-request-payer") == "requester" for seen in store.seen)


class Sessions:
    """Gives sessions of a role, each valid for some seconds."""

    def __init__(self, store: ScriptedS3, seconds: float) -> None:
        self.given = 0
        self._store, self._seconds = store, seconds
        self._store.demands.sessions = {}

    def session(self) -> boto3.Session:
        inner = botocore.session.get_session()
        inner._credentials = RefreshableCredentials.create_from_metadata(
            self._new(), self._new, "sts-assume-role", advisory_timeout=3, mandatory_timeout=3
        )
        return boto3.Session(botocore_session=inner, region_name="us-east-1")

    def _new(self) -> dict[str, str]:
        self.given += 1
        token = f"token-{self.given}"
        assert self._store.demands.sessions is not None
        self._store.demands.sessions[token] = time.monotonic() + self._seconds
        ends = datetime.now(UTC) + timedelta(seconds=self._seconds)
        return {"access_key": "AK", "secret_key": "SK", "token": token, "expiry_time": ends.isoformat()}


@pytest.mark.promise("s3-sessions")
def test_a_load_that_takes_longer_than_a_role_session_gets_new_ones(
    store: ScriptedS3, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # obstore asks again five minutes before the end that it is given: here after 0.2 s instead of a minute.
    monkeypatch.setattr(credentials, "GIVEN_FOR", timedelta(minutes=5, seconds=0.2))
    monkeypatch.setattr(resolve, "_is_s3_of_aws", lambda _url: True)
    sessions = Sessions(store, seconds=4)  # of which the last 3 are spare, for a busy machine

    def slowly() -> Iterator[StagedDocument]:
        for each in DOCUMENTS:
            time.sleep(0.3)
            yield each

    reported = deliver(destination(store, transport=transport, session=sessions.session()), slowly())

    assert [delivery for _, delivery in reported] == [Delivery.DELIVERED] * len(DOCUMENTS)
    assert sessions.given > 2


def test_obstore_asks_for_credentials_each_minute(store: ScriptedS3) -> None:
    """Botocore renews a session 15 minutes before its end, and at the latest 10 minutes before."""
    given = credentials.SessionCredentials(Sessions(store, seconds=900).session())()["expires_at"]

    assert given is not None
    assert timedelta(minutes=5) < given - datetime.now(UTC) <= timedelta(minutes=6)


def test_a_session_that_has_ended_is_permanent(store: ScriptedS3, transport: str) -> None:
    store.demands.sessions = {}

    assert refusal(destination(store, transport=transport)) is Code.S3_TOKEN_EXPIRED


def test_a_bucket_of_another_region_is_named_and_not_followed(store: ScriptedS3, transport: str) -> None:
    store.demands.region = "eu-west-1"

    assert refusal(destination(store, transport=transport)) is Code.S3_WRONG_REGION
    assert [seen.method for seen in store.seen] == ["PUT"]
    deliver(destination(store, transport=transport, region="eu-west-1"), DOCUMENTS)
    assert len(store.objects) == len(DOCUMENTS)


def test_a_store_that_demands_the_bucket_in_the_host_name(
    store: ScriptedS3, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.demands.virtual_host = True
    assert refusal(destination(store, transport=transport)) is Code.S3_WRONG_REGION

    virtual = Config(s3={"addressing_style": "virtual"})
    found = access(S3Endpoint(f"http://store.test:{store.port}"), BUCKET, config=virtual, transport=transport)
    assert found.url == f"http://{BUCKET}.store.test:{store.port}"
    if transport == "boto3":  # the other client asks the system for addresses, not Python
        look_up = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *more, **other: look_up("127.0.0.1", *more, **other))
        deliver(ObjectStoreDestination(open_bucket(found), in_flight=4), DOCUMENTS)
        assert {seen.host for seen in store.seen[1:]} == {f"{BUCKET}.store.test:{store.port}"}
        assert store.objects == {each.key: each.content() for each in DOCUMENTS}


@pytest.mark.promise("s3-redirects")
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_request_is_redirected_to_another_host(store: ScriptedS3, transport: str, method: str, status: int) -> None:
    with scripted_s3(BUCKET) as elsewhere:
        store.objects[DOCUMENTS[0].key] = document(1, title="Grüße, Erde!!").content()
        location = f"http://localhost:{elsewhere.port}/{BUCKET}/{DOCUMENTS[0].key}"
        store.always_answer(method, Refusal(status, headers={"Location": location}))
        session = boto3.Session("AK", "SK", "session-token", region_name="us-east-1")

        with pytest.raises(ReplicationError):
            deliver(destination(store, transport=transport, session=session), DOCUMENTS[:1])

        assert elsewhere.requests == []


@pytest.mark.promise("s3-redirects")
@pytest.mark.parametrize("token", ["session-token", None])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_credentials_follow_a_redirect_to_another_port(
    store: ScriptedS3, transport: str, method: str, status: int, token: str | None
) -> None:
    """No setting of obstore prevents that it follows without a signature. docs/security.md names it."""
    with scripted_s3(BUCKET) as elsewhere:
        store.objects[DOCUMENTS[0].key] = document(1, title="Grüße, Erde!!").content()
        store.always_answer(method, Refusal(status, headers={"Location": f"{elsewhere.url}/{BUCKET}/x"}))
        session = boto3.Session("AK", "SK", token, region_name="us-east-1")

        with pytest.raises(ReplicationError):
            deliver(destination(store, transport=transport, session=session), DOCUMENTS[:1])

        assert not [seen for seen in elsewhere.seen if {"authorization", "x-amz-security-token"} & {*seen.headers}]
        assert elsewhere.seen == [] or (transport == "auto" and token is None)


@pytest.mark.promise("store-answers")
@pytest.mark.parametrize("page", [Page(), Page("<ListBucketResult><IsTruncated>false</IsTruncated><Conte")])
def test_a_web_page_or_a_cut_answer_is_no_empty_bucket(store: ScriptedS3, transport: str, page: Page) -> None:
    """A server in the store's place answers 200: its listing is unreadable, not empty."""
    store.objects["5234/jobs/a.json"] = b"{}"
    for method in ("GET", "HEAD"):
        store.always_answer(method, page)

    bucket = open_bucket(access(S3Endpoint(store.url), BUCKET, transport=transport))

    asked = [lambda: list(bucket.entries("5234/jobs")), bucket.check_exists]
    asked += [lambda: bucket.read("5234/jobs/a.json"), lambda: asyncio.run(bucket.get("5234/jobs/a.json"))]
    for ask in asked:
        with pytest.raises(TransientError) as raised:
            ask()
        assert raised.value.code in {Code.S3_NO_ANSWER, Code.S3_BUSY}


@pytest.mark.promise("store-answers")
@pytest.mark.parametrize("methods", [("PUT",), ("HEAD",)])
def test_a_web_page_is_no_written_object_and_no_conflict(
    store: ScriptedS3, transport: str, methods: tuple[str, ...]
) -> None:
    deliver(destination(store, transport=transport), DOCUMENTS[:1])
    for method in methods:
        store.always_answer(method, Page())

    with pytest.raises(TransientError) as raised:
        deliver(destination(store, transport=transport), DOCUMENTS[:1])

    assert raised.value.code is Code.S3_NO_ANSWER


@pytest.mark.promise("unknown-objects")
@pytest.mark.parametrize("odd", ["5234/jobs/1//x.json", "5234/jobs/1/./x", "5234/jobs/1/../x", "5234/jobs/1/a\x7fb"])
def test_a_foreign_object_with_an_odd_key_hides_no_other(store: ScriptedS3, transport: str, odd: str) -> None:
    store.objects |= {"5234/jobs/0/a.json": b"1", odd: b"2", "5234/jobs/2/b.json": b"3"}

    bucket = open_bucket(access(S3Endpoint(store.url), BUCKET, transport=transport))

    assert [entry.path for entry in bucket.entries("5234/jobs")] == sorted(store.objects)


def test_an_empty_folder_is_asked_about_once(store: ScriptedS3) -> None:
    """Whether the store is one is seen at the first empty listing, by one more request."""
    bucket = open_bucket(access(S3Endpoint(store.url), BUCKET))

    assert [list(bucket.entries(f"folder-{number}")) for number in range(5)] == [[]] * 5
    assert len(store.requests) == 6
