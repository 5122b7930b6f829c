"""Errors of the store and of the way to it: sorted, reported in full and without secrets, and no document is lost."""

import re
import ssl
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from tests.support.certificates import FILE_NAME, self_signed_server
from tests.support.deliveries import access, deliver, document
from tests.support.scripted_s3 import Answer, AtMost, Refusal, Request, Reset, ScriptedS3, Served, Slow, scripted_s3

from job_history.destinations import Delivery
from job_history.destinations.object_store import ObjectStoreDestination
from job_history.errors import PermanentError, ReplicationError, TransientError
from job_history.errors.catalogue import fix_of
from job_history.errors.code import Code
from job_history.storage import Storage
from job_history.storage.problems import SlowDownError
from job_history.storage.s3 import resolve
from job_history.storage.s3.bucket import Bucket
from job_history.storage.s3.open_bucket import open_bucket
from simulators.processes import free_port
from simulators.s3_endpoint import S3Endpoint

DELIVERED, ALREADY_PRESENT, CONFLICT = Delivery.DELIVERED, Delivery.ALREADY_PRESENT, Delivery.CONFLICT
BUCKET = "acme-audit"
ACCESS_KEY = "AKIACANARY0123456789"
SECRETS = (ACCESS_KEY, "secret/CANARY", "token/CANARY", "signature/CANARY", "AWS4-HMAC-SHA256")
# What S3 answers to a wrong signature: everything that it was made of.
ECHOES = {
    "AWSAccessKeyId": ACCESS_KEY,
    "StringToSign": "AWS4-HMAC-SHA256\n20180521T000000Z",
    "SignatureProvided": "signature/CANARY",
    "CanonicalRequest": "PUT\nx-amz-security-token:token/CANARY",
    "Token-0": "token/CANARY",
}
TIMEOUT_SECONDS = 0.3
TOO_SLOW = Slow(1.5)
FEW_AND_FAST = (0.001, 0.002)
DOCUMENTS = [document(number) for number in (1, 2, 3)]
FIRST = DOCUMENTS[0]


@pytest.fixture(params=["auto", "boto3"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With auto, obstore gets the session token, as for a bucket of Amazon S3."""
    monkeypatch.setattr(resolve, "_is_s3_of_aws", lambda _url: True)
    return str(request.param)


@pytest.fixture
def endpoint() -> Iterator[ScriptedS3]:
    with scripted_s3(BUCKET) as endpoint:
        yield endpoint


def session() -> boto3.Session:
    return boto3.Session(
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key="secret/CANARY",
        aws_session_token="token/CANARY",
        region_name="us-east-1",
    )


def bucket_at(
    url: str, transport: str, *, timeout: float = TIMEOUT_SECONDS, prefix: str = "", **options: Any
) -> Bucket:
    options.setdefault("session", session())
    found = access(S3Endpoint(url), BUCKET, transport=transport, **options)
    return open_bucket(replace(found, connect_timeout=timeout, read_timeout=timeout), prefix=prefix, concurrency=32)


def destination(url: str, transport: str, *, overwrite: bool = False, **options: Any) -> ObjectStoreDestination:
    bucket = bucket_at(url, transport, **options)
    return ObjectStoreDestination(
        bucket, in_flight=1, write_mode="overwrite" if overwrite else "create_only", waits=FEW_AND_FAST
    )


class Failed(NamedTuple):
    """The error that ended a delivery: its class, code and detail."""

    kind: type
    code: Code | None
    detail: str


def fails(to: ObjectStoreDestination, reported: list[tuple[str, Delivery]] | None = None) -> Failed:
    """Deliver the three documents, and return the error that ended it."""
    reported = [] if reported is None else reported
    with pytest.raises(ReplicationError) as raised:
        to.deliver(iter(DOCUMENTS), lambda document, delivery, *_: reported.append((document.key, delivery)))
    error = raised.value
    everything = f"{error!r} {error.__cause__!r} {error.args} {error.detail} {error.facts}"
    assert [secret for secret in SECRETS if secret in everything] == []
    assert error.__suppress_context__  # or a log would show the client's own error as well
    assert error.code is not None
    assert f"Bucket {BUCKET} at " in str(error)
    assert fix_of(error.code) in str(error)
    return Failed(type(error), error.code, error.detail)


class Expected(NamedTuple):
    """What a store answers, and what becomes of it: the error's class and code, its detail, and the number of
    attempts.
    """

    answer: Answer
    kind: type[ReplicationError]
    code: Code
    detail: str | None
    attempts: int = 1


def expected(  # noqa: PLR0917 - a line of the table
    status: int,
    code: str | None,
    message: str,
    kind: type[ReplicationError],
    named: Code,
    attempts: int = 1,
    **more: Any,
) -> Expected:
    detail = f"{status} {code}: {message}" if code else f"{status}"
    return Expected(Refusal(status, code, message, **more), kind, named, detail, attempts)


P, T, S = PermanentError, TransientError, SlowDownError
REDIRECTED = {"x-amz-bucket-region": "eu-west-1"}
OTHER_REGION = "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'"
CHECKSUM = "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters"
ANSWERS: dict[str, Expected] = {
    "301": Expected(Refusal(301, "PermanentRedirect", headers=REDIRECTED), P, Code.S3_WRONG_REGION, None),
    "307 elsewhere": Expected(
        Refusal(307, "TemporaryRedirect", headers={"Location": "http://127.0.0.1:9/elsewhere"}),
        P,
        Code.S3_WRONG_REGION,
        None,
    ),
    "400 region": expected(
        400, "AuthorizationHeaderMalformed", OTHER_REGION, P, Code.S3_WRONG_REGION, echoes={"Region": "eu-west-1"}
    ),
    "400 expired token": expected(
        400, "ExpiredToken", "The provided token has expired", P, Code.S3_TOKEN_EXPIRED, echoes=ECHOES
    ),
    "400 invalid token": expected(
        400, "InvalidToken", "The token is malformed", P, Code.S3_TOKEN_INVALID, echoes=ECHOES
    ),
    "400 other": expected(400, "InvalidDigest", "The Content-MD5 you specified was invalid", P, Code.S3_REFUSED),
    "400 checksum": expected(400, "InvalidRequest", CHECKSUM, P, Code.S3_CHECKSUM_REQUIRED),
    "400 no KMS key": expected(
        400, "KMS.NotFoundException", "Key 'arn:2' does not exist", P, Code.S3_KMS_KEY_NOT_FOUND
    ),
    "400 disabled KMS key": expected(400, "KMS.DisabledException", "arn:2 is disabled", P, Code.S3_KMS_KEY_DISABLED),
    "401": expected(401, None, "", P, Code.S3_ACCESS_DENIED),
    "403 denied": expected(
        403, "AccessDenied", "User: x may not s3:PutObject on 'a' & \"b\"", P, Code.S3_ACCESS_DENIED
    ),
    "403 kms": expected(
        403, "AccessDenied", "not authorized to perform: kms:GenerateDataKey", P, Code.S3_KMS_ACCESS_DENIED
    ),
    "403": expected(403, None, "", P, Code.S3_ACCESS_DENIED),
    "403 that repeats keys": Expected(
        Refusal(403, "AccessDenied", "Not with secret/CANARY and token%2FCANARY."),
        P,
        Code.S3_ACCESS_DENIED,
        "403 AccessDenied: Not with *** and ***",
    ),
    "403 wrong secret key": expected(
        403, "SignatureDoesNotMatch", "They differ", P, Code.S3_WRONG_SECRET_KEY, echoes=ECHOES
    ),
    "403 wrong access key": Expected(
        Refusal(403, "InvalidAccessKeyId", f"The key {ACCESS_KEY} is unknown.", ECHOES),
        P,
        Code.S3_UNKNOWN_ACCESS_KEY,
        "403 InvalidAccessKeyId: The key *** is unknown",
    ),
    "403 clock": expected(403, "RequestTimeTooSkewed", "The difference is too large", P, Code.S3_CLOCK_SKEWED),
    "404 no bucket": expected(404, "NoSuchBucket", "The bucket does not exist", P, Code.S3_NO_SUCH_BUCKET),
    "404": expected(404, None, "", P, Code.S3_NO_SUCH_BUCKET),
    "408": expected(408, "RequestTimeout", "Your socket connection was not read from", T, Code.S3_BUSY, 3),
    "409 always": expected(409, "ConditionalRequestConflict", "A conflicting operation occurred", T, Code.S3_BUSY, 3),
    "412 always": expected(412, "PreconditionFailed", "A precondition did not hold", P, Code.S3_REFUSED, 3),
    "429": expected(429, "TooManyRequests", "Slower", S, Code.S3_BUSY, 3),
    "500": expected(500, "InternalError", "Please try again", T, Code.S3_BUSY, 3),
    "501 header": expected(501, "NotImplemented", "A header is not implemented", P, Code.S3_CREATE_ONLY_UNKNOWN),
    "501": expected(501, None, "", P, Code.S3_CREATE_ONLY_UNKNOWN),
    "503 slow down": expected(503, "SlowDown", "Please reduce your request rate", S, Code.S3_BUSY, 3),
    "503": expected(503, None, "", S, Code.S3_BUSY, 3),
    "broken connections": Expected(Reset(), T, Code.S3_NO_ANSWER, None, 3),
}


@pytest.mark.promise("store-errors", "connection-keys", "masked-secrets")
@pytest.mark.parametrize("name", ANSWERS)
def test_an_error_is_classified_and_loses_nothing(endpoint: ScriptedS3, transport: str, name: str) -> None:
    answer, kind, code, detail, attempts = ANSWERS[name]
    endpoint.answer("PUT", Served())
    endpoint.always_answer("PUT", answer)
    reported: list[tuple[str, Delivery]] = []

    failed = fails(destination(endpoint.url, transport), reported)

    assert (failed.kind, failed.code) == (kind, code)
    assert detail is None or failed.detail == detail
    assert reported == [(FIRST.key, DELIVERED)]
    assert endpoint.objects == {FIRST.key: FIRST.content()}
    puts = [request for request in endpoint.requests if request.method == "PUT"]
    assert puts == [Request("PUT", FIRST.key)] + [Request("PUT", DOCUMENTS[1].key)] * attempts

    endpoint.recover()
    assert completes(endpoint, transport) == [ALREADY_PRESENT, DELIVERED, DELIVERED]


def completes(endpoint: ScriptedS3, transport: str) -> list[Delivery]:
    """Deliver again, now that nothing is wrong any more; the store must have everything then."""
    reported = deliver(destination(endpoint.url, transport), DOCUMENTS)
    assert [key for key, _ in reported] == [each.key for each in DOCUMENTS]
    assert endpoint.objects == {each.key: each.content() for each in DOCUMENTS}
    return [delivery for _, delivery in reported]


def test_a_long_message_is_cut(endpoint: ScriptedS3, transport: str) -> None:
    endpoint.always_answer("PUT", Refusal(403, "AccessDenied", "because " * 200))

    assert fails(destination(endpoint.url, transport)).detail == f"403 AccessDenied: {('because ' * 200)[:500]}"


@pytest.mark.parametrize("answer", [Refusal(500), Refusal(503, "SlowDown"), Reset()], ids=["500", "503", "reset"])
def test_a_fault_that_passes_is_not_noticed(endpoint: ScriptedS3, transport: str, answer: Answer) -> None:
    endpoint.answer("PUT", answer, answer)

    assert deliver(destination(endpoint.url, transport), [FIRST]) == [(FIRST.key, DELIVERED)]

    assert endpoint.requests == [Request("PUT", FIRST.key)] * 3


@pytest.mark.promise("slow-down")
@pytest.mark.parametrize("status", [429, 503])
def test_a_store_that_asks_to_slow_down_is_obeyed_and_gets_everything(
    endpoint: ScriptedS3, transport: str, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    crowd = AtMost(4, Refusal(status, "SlowDown", "Please reduce your request rate."), seconds=0.005)
    endpoint.always_answer("PUT", crowd)
    many = [document(number) for number in range(300)]
    bucket = bucket_at(endpoint.url, transport, timeout=60)

    with caplog.at_level("INFO", "job_history.destinations.object_store"):
        reported = deliver(ObjectStoreDestination(bucket, in_flight=64, waits=[0.02] * 50), many)

    assert reported == sorted((each.key, DELIVERED) for each in many)
    assert endpoint.objects == {each.key: each.content() for each in many}
    assert 4 < crowd.most <= 64
    detail = re.fullmatch(
        r"The store asked ([0-9,]+) times to slow down; ([0-9]+) uploads were in flight in the end\.",
        caplog.messages[-1],
    )
    assert detail
    assert int(detail[1]) == crowd.refused == len(endpoint.requests) - 300
    assert int(detail[2]) <= 8


@pytest.mark.promise("lost-answer")
@pytest.mark.parametrize("answer", [Reset(after_storing=True), TOO_SLOW], ids=["connection broke", "no answer in time"])
def test_a_create_whose_answer_was_lost_is_found_again(endpoint: ScriptedS3, transport: str, answer: Answer) -> None:
    """The repeated create gets 412 for the object that the first one made: its bytes are the same, so all is well."""
    endpoint.answer("PUT", answer)

    assert deliver(destination(endpoint.url, transport), [FIRST]) == [(FIRST.key, ALREADY_PRESENT)]

    assert endpoint.objects == {FIRST.key: FIRST.content()}
    assert endpoint.requests == [Request("PUT", FIRST.key), Request("PUT", FIRST.key), Request("HEAD", FIRST.key)]


def test_no_answer_in_time_for_ever(endpoint: ScriptedS3, transport: str) -> None:
    endpoint.always_answer("PUT", TOO_SLOW)

    assert fails(destination(endpoint.url, transport)) == (TransientError, Code.S3_NO_ANSWER, "no answer in time")
    assert endpoint.requests == [Request("PUT", FIRST.key)] * 3
    endpoint.recover()
    assert completes(endpoint, transport) == [ALREADY_PRESENT, DELIVERED, DELIVERED]


def test_a_conflict_of_writers_is_tried_again(endpoint: ScriptedS3, transport: str) -> None:
    """S3 answers 409 to a create while another request for the key is under way; nothing need be there afterwards."""
    endpoint.answer("PUT", Refusal(409, "ConditionalRequestConflict"))

    assert deliver(destination(endpoint.url, transport), [FIRST]) == [(FIRST.key, DELIVERED)]

    asked = [request.method for request in endpoint.requests]
    assert (asked, endpoint.objects) == (["PUT", "HEAD", "PUT"], {FIRST.key: FIRST.content()})


def test_a_conflict_of_writers_that_the_other_won_is_compared(endpoint: ScriptedS3, transport: str) -> None:
    endpoint.objects[FIRST.key] = document(1, title="other").content()
    endpoint.answer("PUT", Refusal(409, "ConditionalRequestConflict"))

    assert deliver(destination(endpoint.url, transport), [FIRST]) == [(FIRST.key, CONFLICT)]


def test_409_to_an_overwrite_is_a_fault_and_no_conflict(endpoint: ScriptedS3, transport: str) -> None:
    endpoint.objects[FIRST.key] = b"other"
    endpoint.always_answer("PUT", Refusal(409, "OperationAborted", "Try again."))
    reported: list[tuple[str, Delivery]] = []

    found = fails(destination(endpoint.url, transport, overwrite=True), reported)

    assert found == (TransientError, Code.S3_BUSY, "409 OperationAborted: Try again")
    assert (reported, endpoint.objects) == ([], {FIRST.key: b"other"})


def test_an_object_that_goes_away_while_it_is_compared_is_written(endpoint: ScriptedS3, transport: str) -> None:
    endpoint.answer("PUT", Refusal(412))

    assert deliver(destination(endpoint.url, transport), [FIRST]) == [(FIRST.key, DELIVERED)]

    assert endpoint.objects == {FIRST.key: FIRST.content()}


@pytest.mark.parametrize(
    ("method", "answer", "kind", "code"),
    [
        ("HEAD", Refusal(403), PermanentError, Code.S3_ACCESS_DENIED),
        ("HEAD", Refusal(503), SlowDownError, Code.S3_BUSY),
        ("GET", Refusal(403, "AccessDenied", "No."), PermanentError, Code.S3_ACCESS_DENIED),
        ("GET", Reset(), TransientError, Code.S3_NO_ANSWER),
    ],
    ids=["HEAD 403", "HEAD 503", "GET 403", "GET reset"],
)
def test_a_comparison_that_fails_is_no_verdict(  # noqa: PLR0917
    endpoint: ScriptedS3, transport: str, method: str, answer: Answer, kind: type[ReplicationError], code: Code
) -> None:
    other = document(1, title="Grüße, Erde!!").content()
    assert len(other) == len(FIRST.content())
    endpoint.objects[FIRST.key] = other
    endpoint.always_answer(method, answer)
    reported: list[tuple[str, Delivery]] = []

    failed = fails(destination(endpoint.url, transport), reported)

    assert (failed.kind, failed.code) == (kind, code)
    assert (reported, endpoint.objects) == ([], {FIRST.key: other})


def test_a_refused_connection(transport: str) -> None:
    failed = fails(destination(f"http://127.0.0.1:{free_port()}", transport))

    assert (failed.kind, failed.code) == (TransientError, Code.S3_UNREACHABLE)
    assert "Connection refused" in failed.detail


def test_a_host_without_an_address(transport: str) -> None:
    assert fails(destination("http://s3.no-such-host.invalid", transport)) == (
        TransientError,
        Code.S3_NO_ADDRESS,
        "DNS",
    )


def test_https_to_a_port_without_tls(endpoint: ScriptedS3, transport: str) -> None:
    failed = fails(destination(endpoint.url.replace("http://", "https://"), transport))

    assert (failed.kind, failed.code) == (PermanentError, Code.S3_TLS_FAILED)


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    return self_signed_server(tmp_path)


def test_an_untrusted_certificate(self_signed: ssl.SSLContext, tmp_path: Path, transport: str) -> None:
    with scripted_s3(BUCKET, tls=self_signed) as endpoint:
        failed = fails(destination(endpoint.url, transport))
        assert (failed.kind, failed.code) == (PermanentError, Code.S3_TLS_FAILED)
        assert deliver(destination(endpoint.url, transport, verify=False), [FIRST]) == [(FIRST.key, DELIVERED)]
        bundle = str(tmp_path / FILE_NAME)
        assert deliver(destination(endpoint.url, transport, verify=bundle), [FIRST]) == [(FIRST.key, ALREADY_PRESENT)]


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_certificate_that_the_environment_trusts(
    self_signed: ssl.SSLContext, tmp_path: Path, transport: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(variable, str(tmp_path / FILE_NAME))
    with scripted_s3(BUCKET, tls=self_signed) as endpoint:
        assert deliver(destination(endpoint.url, transport), [FIRST]) == [(FIRST.key, DELIVERED)]


class Failing(boto3.Session):
    """A session whose credentials can be had once, for the resolution, and not again."""

    def __init__(self, error: Exception) -> None:
        super().__init__(aws_access_key_id=ACCESS_KEY, aws_secret_access_key="secret/CANARY", region_name="us-east-1")
        self._error = error
        self.given = 0

    def get_credentials(self) -> Any:
        held = super().get_credentials()
        session = self

        class Once:
            access_key, secret_key, token = held.access_key, held.secret_key, held.token

            def get_frozen_credentials(self) -> Any:
                session.given += 1
                if session.given > 1:
                    raise session._error
                return held.get_frozen_credentials()

        return Once()


def test_a_role_that_may_not_be_assumed_again(endpoint: ScriptedS3) -> None:
    answer = {"Error": {"Code": "AccessDenied", "Message": f"{ACCESS_KEY} may not."}}
    denied = ClientError({**answer, "ResponseMetadata": {"HTTPStatusCode": 403}}, "AssumeRole")

    failed = fails(destination(endpoint.url, "auto", session=Failing(denied)))

    assert (failed.kind, failed.code) == (PermanentError, Code.S3_NO_CREDENTIALS)
    assert "*** may not" in failed.detail
    assert endpoint.requests == []


def test_credentials_that_cannot_be_had_now(endpoint: ScriptedS3) -> None:
    away = EndpointConnectionError(endpoint_url="https://sts.amazonaws.com/")

    failed = fails(destination(endpoint.url, "auto", session=Failing(away)))

    assert (failed.kind, failed.code) == (TransientError, Code.S3_CREDENTIALS_AWAY)


def test_many_in_flight_end_with_one_error_and_a_second_run_completes(endpoint: ScriptedS3, transport: str) -> None:
    endpoint.answer("PUT", *[Served()] * 50)
    endpoint.always_answer("PUT", Refusal(403, "AccessDenied", "No."))
    many = [document(number) for number in range(200)]
    to = ObjectStoreDestination(bucket_at(endpoint.url, transport, timeout=60), in_flight=32, waits=FEW_AND_FAST)
    reported: list[tuple[str, Delivery]] = []

    with pytest.raises(PermanentError) as raised:
        to.deliver(iter(many), lambda document, delivery, *_: reported.append((document.key, delivery)))

    assert (raised.value.code, raised.value.detail) == (Code.S3_ACCESS_DENIED, "403 AccessDenied: No")
    assert len(endpoint.objects) == 50
    assert {key for key, _ in reported} <= set(endpoint.objects)
    assert len(endpoint.requests) <= 50 + 32
    endpoint.recover()
    again = Counter(delivery for _, delivery in deliver(to, many))
    assert again.total() == 200
    assert again[ALREADY_PRESENT] >= 50  # more, where requests that were given up arrived after all
    assert endpoint.objects == {each.key: each.content() for each in many}


@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_storage_in_a_bucket_reports_no_secrets_either(endpoint: ScriptedS3, transport: str, method: str) -> None:
    endpoint.always_answer(method, Refusal(403, "SignatureDoesNotMatch", "The signature does not match.", ECHOES))
    storage = Storage(bucket_at(endpoint.url, transport, prefix="staging"), f"s3://{BUCKET}/staging")

    with pytest.raises(PermanentError) as raised:
        storage.write("run-1/file", b"x") if method == "PUT" else storage.read("run-1/file")

    assert str(raised.value).startswith(
        f"Cannot {'write' if method == 'PUT' else 'read'} s3://{BUCKET}/staging/run-1/file. Bucket {BUCKET} at "
        f"{endpoint.url}: "
    )
    assert raised.value.code is Code.S3_WRONG_SECRET_KEY
    assert [secret for secret in SECRETS if secret in str(raised.value)] == []
