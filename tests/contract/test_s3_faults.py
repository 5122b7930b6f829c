"""What the store, or the way to it, does wrong: sorted, told in full, without secrets, and nothing lost by it."""

import re
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from tests.support.certificates import self_signed_server
from tests.support.deliveries import deliver, document, settings
from tests.support.scripted_s3 import Answer, AtMost, Refusal, Request, Reset, ScriptedS3, Served, Slow, scripted_s3

from job_history.destinations import Delivery
from job_history.destinations.s3 import NO_RETRIES, S3Access, S3Destination, s3_store
from job_history.destinations.s3.errors import SlowDownError
from job_history.errors import PermanentError, ReplicationError, TransientError
from job_history.storage import Storage
from simulators.processes import free_port

DELIVERED, ALREADY_PRESENT, CONFLICT = Delivery.DELIVERED, Delivery.ALREADY_PRESENT, Delivery.CONFLICT
BUCKET = "acme-audit"
ACCESS_KEY = "AKIACANARY0123456789"
SECRETS = (ACCESS_KEY, "secret/CANARY", "token/CANARY", "signature/CANARY", "AWS4-HMAC-SHA256")
CREDENTIALS = {"access_key_id": ACCESS_KEY, "secret_access_key": "secret/CANARY", "token": "token/CANARY"}
# What S3 tells whoever signs wrongly: all that the signature was made of.
ECHOES = {
    "AWSAccessKeyId": ACCESS_KEY,
    "StringToSign": "AWS4-HMAC-SHA256\n20180521T000000Z",
    "SignatureProvided": "signature/CANARY",
    "CanonicalRequest": "PUT\nx-amz-security-token:token/CANARY",
    "Token-0": "token/CANARY",
}
TIMEOUT = timedelta(milliseconds=300)
TOO_SLOW = Slow(1.5)
FEW_AND_FAST = (0.001, 0.002)
REGION_REMEDY = (
    "Set `region_name` of the connection to the bucket's own region (`aws s3api get-bucket-location` shows it)."
)
ACCESS_REMEDY = (
    "Grant the connection's identity s3:PutObject and s3:GetObject on the bucket's objects (and the use of the KMS key, "
    "where one encrypts them)."
)
LATER = "It is tried again; should it last, look at the store's own health page and at the network between."
CHECK_LATER = "It is tried again; should it last, check `endpoint_url` of the connection and the network."
LOOK_UP = "Look the code up in S3's list of error responses."
DOCUMENTS = [document(number) for number in (1, 2, 3)]
FIRST = DOCUMENTS[0]


@pytest.fixture
def endpoint() -> Iterator[ScriptedS3]:
    with scripted_s3(BUCKET) as endpoint:
        yield endpoint


def credentials() -> Any:
    return {**CREDENTIALS, "expires_at": None}


def destination(
    url: str, *, overwrite: bool = False, verify: bool = True, credentials: Callable[[], Any] = credentials
) -> S3Destination:
    access = S3Access(bucket=BUCKET, credentials=credentials, endpoint_url=url, verify=verify)
    store = s3_store(access, settings(), retries=NO_RETRIES, request_timeout=TIMEOUT)
    return S3Destination(store, bucket=BUCKET, in_flight=1, overwrite=overwrite, waits=FEW_AND_FAST)


def fails(to: S3Destination, reported: list[tuple[str, Delivery]] | None = None) -> tuple[type, str]:
    """Deliver the three documents, and return of which kind the error was that ended it, and what it says."""
    reported = [] if reported is None else reported
    with pytest.raises(ReplicationError) as raised:
        to.deliver(iter(DOCUMENTS), lambda document, delivery, _=None: reported.append((document.key, delivery)))
    everything = f"{raised.value!r} {raised.value.__cause__!r} {raised.value.args}"
    assert [secret for secret in SECRETS if secret in everything] == []
    assert raised.value.__suppress_context__  # or a log would show the client's own error as well
    return type(raised.value), str(raised.value)


def answered(detail: str, remedy: str) -> str:
    return f"Bucket {BUCKET}: the store answered {detail} {remedy}"


# What the store answers, the kind of error, the rest of its message, and how often the document was tried.
ANSWERS: dict[str, tuple[Answer, type[ReplicationError], str, int]] = {
    "301 without a word": (
        Refusal(301, "PermanentRedirect", "Use the specified endpoint.", headers={"x-amz-bucket-region": "eu-west-1"}),
        PermanentError,
        f"Bucket {BUCKET}: the store sent us to another region. {REGION_REMEDY}",
        1,
    ),
    "307 to elsewhere": (
        Refusal(307, "TemporaryRedirect", "Use the endpoint.", headers={"Location": "http://127.0.0.1:9/elsewhere"}),
        PermanentError,
        answered("HTTP 307.", REGION_REMEDY),
        1,
    ),
    "400 another region": (
        Refusal(
            400,
            "AuthorizationHeaderMalformed",
            "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-west-1'",
            {"Region": "eu-west-1"},
        ),
        PermanentError,
        answered(
            "400 AuthorizationHeaderMalformed: The authorization header is malformed; the region 'us-east-1' is wrong; "
            "expecting 'eu-west-1'. The bucket is in eu-west-1.",
            REGION_REMEDY,
        ),
        1,
    ),
    "400 expired token": (
        Refusal(400, "ExpiredToken", "The provided token has expired.", ECHOES),
        PermanentError,
        answered(
            "400 ExpiredToken: The provided token has expired.",
            "Renew the session token of the connection, or let it assume a role.",
        ),
        1,
    ),
    "400 something else": (
        Refusal(400, "InvalidDigest", "The Content-MD5 you specified was invalid."),
        PermanentError,
        answered("400 InvalidDigest: The Content-MD5 you specified was invalid.", LOOK_UP),
        1,
    ),
    "400 no such KMS key": (
        Refusal(400, "KMS.NotFoundException", "Key 'arn:aws:kms:us-east-1:1:key/2' does not exist"),
        PermanentError,
        answered(
            "400 KMS.NotFoundException: Key 'arn:aws:kms:us-east-1:1:key/2' does not exist.",
            "Correct `destination.kms_key_id` of the account.",
        ),
        1,
    ),
    "400 disabled KMS key": (
        Refusal(400, "KMS.DisabledException", "arn:aws:kms:us-east-1:1:key/2 is disabled."),
        PermanentError,
        answered("400 KMS.DisabledException: arn:aws:kms:us-east-1:1:key/2 is disabled.", "Enable the KMS key again."),
        1,
    ),
    "401": (Refusal(401), PermanentError, answered("HTTP 401.", ACCESS_REMEDY), 1),
    "403 denied": (
        Refusal(403, "AccessDenied", "User: arn:aws:iam::1:user/x may not s3:PutObject on 'acme' & \"audit\""),
        PermanentError,
        answered(
            "403 AccessDenied: User: arn:aws:iam::1:user/x may not s3:PutObject on 'acme' & \"audit\".", ACCESS_REMEDY
        ),
        1,
    ),
    "403 without a word": (Refusal(403), PermanentError, answered("HTTP 403.", ACCESS_REMEDY), 1),
    "403 that repeats what it was told": (
        Refusal(403, "AccessDenied", "Not with secret/CANARY and token%2FCANARY."),
        PermanentError,
        answered("403 AccessDenied: Not with *** and ***.", ACCESS_REMEDY),
        1,
    ),
    "403 wrong secret key": (
        Refusal(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.", ECHOES),
        PermanentError,
        answered(
            "403 SignatureDoesNotMatch: The request signature we calculated does not match.",
            "Correct the secret key of the connection.",
        ),
        1,
    ),
    "403 wrong access key": (
        Refusal(403, "InvalidAccessKeyId", f"The key {ACCESS_KEY} does not exist in our records.", ECHOES),
        PermanentError,
        answered(
            "403 InvalidAccessKeyId: The key *** does not exist in our records.",
            "Correct the access key of the connection.",
        ),
        1,
    ),
    "403 wrong clock": (
        Refusal(403, "RequestTimeTooSkewed", "The difference between the times is too large."),
        PermanentError,
        answered(
            "403 RequestTimeTooSkewed: The difference between the times is too large.", "Set the clock of this machine."
        ),
        1,
    ),
    "404 no bucket": (
        Refusal(404, "NoSuchBucket", "The specified bucket does not exist"),
        PermanentError,
        answered(
            "404 NoSuchBucket: The specified bucket does not exist.",
            "Create the bucket, or correct `destination.bucket` of the account (or the bucket of its connection).",
        ),
        1,
    ),
    "404 without a word": (
        Refusal(404),
        PermanentError,
        answered(
            "HTTP 404.",
            "Create the bucket, or correct `destination.bucket` of the account (or the bucket of its connection).",
        ),
        1,
    ),
    "408": (
        Refusal(408, "RequestTimeout", "Your socket connection was not read from."),
        TransientError,
        answered("408 RequestTimeout: Your socket connection was not read from.", LATER),
        3,
    ),
    "409 for ever": (
        Refusal(409, "ConditionalRequestConflict", "A conflicting operation occurred."),
        TransientError,
        answered("409 ConditionalRequestConflict: A conflicting operation occurred.", LATER),
        3,
    ),
    "412 for ever": (
        Refusal(412, "PreconditionFailed", "At least one of the preconditions did not hold"),
        PermanentError,
        answered("412 PreconditionFailed: At least one of the preconditions did not hold.", LOOK_UP),
        3,
    ),
    "429": (
        Refusal(429, "TooManyRequests", "Slower."),
        SlowDownError,
        answered("429 TooManyRequests: Slower.", LATER),
        3,
    ),
    "500": (
        Refusal(500, "InternalError", "We encountered an internal error. Please try again."),
        TransientError,
        answered("500 InternalError: We encountered an internal error. Please try again.", LATER),
        3,
    ),
    "501": (
        Refusal(501, "NotImplemented", "A header implies functionality that is not implemented"),
        PermanentError,
        answered(
            "501 NotImplemented: A header implies functionality that is not implemented.",
            'The store does not know conditional PUT: set `"write_mode": "overwrite"` for the account.',
        ),
        1,
    ),
    "501 without a word": (
        Refusal(501),
        PermanentError,
        answered(
            "HTTP 501.", 'The store does not know conditional PUT: set `"write_mode": "overwrite"` for the account.'
        ),
        1,
    ),
    "503 slow down": (
        Refusal(503, "SlowDown", "Please reduce your request rate."),
        SlowDownError,
        answered("503 SlowDown: Please reduce your request rate.", LATER),
        3,
    ),
    "503 without a word": (Refusal(503), SlowDownError, answered("HTTP 503.", LATER), 3),
    "broken connections": (
        Reset(),
        TransientError,
        f"Bucket {BUCKET}: the connection to ENDPOINT broke. {LATER}",
        3,
    ),
}


@pytest.mark.promise("store-errors", "connection-keys", "masked-secrets")
@pytest.mark.parametrize("name", ANSWERS)
def test_a_fault_is_sorted_told_and_loses_nothing(endpoint: ScriptedS3, name: str) -> None:
    answer, kind, message, tries = ANSWERS[name]
    endpoint.answer("PUT", Served())
    endpoint.always_answer("PUT", answer)
    reported: list[tuple[str, Delivery]] = []

    assert fails(destination(endpoint.url), reported) == (kind, message.replace("ENDPOINT", endpoint.url))

    assert reported == [(FIRST.key, DELIVERED)]
    assert endpoint.objects == {FIRST.key: FIRST.content()}
    puts = [request for request in endpoint.requests if request.method == "PUT"]
    assert puts == [Request("PUT", FIRST.key)] + [Request("PUT", DOCUMENTS[1].key)] * tries

    endpoint.recover()
    assert completes(endpoint) == [ALREADY_PRESENT, DELIVERED, DELIVERED]


def completes(endpoint: ScriptedS3) -> list[Delivery]:
    """Deliver again, now that nothing is wrong any more; the store must have everything then."""
    reported = deliver(destination(endpoint.url), DOCUMENTS)
    assert [key for key, _ in reported] == [each.key for each in DOCUMENTS]
    assert endpoint.objects == {each.key: each.content() for each in DOCUMENTS}
    return [delivery for _, delivery in reported]


def test_a_long_message_is_cut(endpoint: ScriptedS3) -> None:
    endpoint.always_answer("PUT", Refusal(403, "AccessDenied", "because " * 200))

    _, message = fails(destination(endpoint.url))

    assert message == answered(f"403 AccessDenied: {('because ' * 200)[:500]}.", ACCESS_REMEDY)


@pytest.mark.parametrize("answer", [Refusal(500), Refusal(503, "SlowDown"), Reset()], ids=["500", "503", "reset"])
def test_a_fault_that_passes_is_not_noticed(endpoint: ScriptedS3, answer: Answer) -> None:
    endpoint.answer("PUT", answer, answer)

    assert deliver(destination(endpoint.url), [FIRST]) == [(FIRST.key, DELIVERED)]

    assert endpoint.requests == [Request("PUT", FIRST.key)] * 3


@pytest.mark.promise("slow-down")
@pytest.mark.parametrize("status", [429, 503])
def test_a_store_that_asks_to_slow_down_is_obeyed_and_gets_everything(
    endpoint: ScriptedS3, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    crowd = AtMost(4, Refusal(status, "SlowDown", "Please reduce your request rate."), seconds=0.005)
    endpoint.always_answer("PUT", crowd)
    many = [document(number) for number in range(300)]
    access = S3Access(bucket=BUCKET, credentials=credentials, endpoint_url=endpoint.url)
    store = s3_store(access, settings(), retries=NO_RETRIES)

    with caplog.at_level("INFO", "job_history.destinations.s3"):
        reported = deliver(S3Destination(store, bucket=BUCKET, in_flight=64, waits=[0.02] * 50), many)

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
def test_a_create_whose_answer_was_lost_is_found_again(endpoint: ScriptedS3, answer: Answer) -> None:
    """The repeated create gets 412 for the object that the first one made: its bytes are the same, so all is well."""
    endpoint.answer("PUT", answer)

    assert deliver(destination(endpoint.url), [FIRST]) == [(FIRST.key, ALREADY_PRESENT)]

    assert endpoint.objects == {FIRST.key: FIRST.content()}
    assert endpoint.requests == [Request("PUT", FIRST.key), Request("PUT", FIRST.key), Request("HEAD", FIRST.key)]


def test_no_answer_in_time_for_ever(endpoint: ScriptedS3) -> None:
    endpoint.always_answer("PUT", TOO_SLOW)

    kind, message = fails(destination(endpoint.url))

    assert (kind, message) == (TransientError, f"Bucket {BUCKET}: {endpoint.url} did not answer in time. {LATER}")
    assert endpoint.requests == [Request("PUT", FIRST.key)] * 3
    endpoint.recover()
    assert completes(endpoint) == [ALREADY_PRESENT, DELIVERED, DELIVERED]


def test_a_conflict_of_writers_is_tried_again(endpoint: ScriptedS3) -> None:
    """S3 answers 409 to a create while another request for the key is under way; nothing need be there afterwards."""
    endpoint.answer("PUT", Refusal(409, "ConditionalRequestConflict"))

    assert deliver(destination(endpoint.url), [FIRST]) == [(FIRST.key, DELIVERED)]

    asked = [request.method for request in endpoint.requests]
    assert (asked, endpoint.objects) == (["PUT", "HEAD", "PUT"], {FIRST.key: FIRST.content()})


def test_a_conflict_of_writers_that_the_other_won_is_compared(endpoint: ScriptedS3) -> None:
    endpoint.objects[FIRST.key] = document(1, title="other").content()
    endpoint.answer("PUT", Refusal(409, "ConditionalRequestConflict"))

    assert deliver(destination(endpoint.url), [FIRST]) == [(FIRST.key, CONFLICT)]


def test_409_to_an_overwrite_is_a_fault_and_no_conflict(endpoint: ScriptedS3) -> None:
    endpoint.objects[FIRST.key] = b"other"
    endpoint.always_answer("PUT", Refusal(409, "OperationAborted", "Try again."))
    reported: list[tuple[str, Delivery]] = []

    found = fails(destination(endpoint.url, overwrite=True), reported)

    assert found == (TransientError, answered("409 OperationAborted: Try again.", LATER))
    assert (reported, endpoint.objects) == ([], {FIRST.key: b"other"})


def test_an_object_that_goes_away_while_it_is_compared_is_written(endpoint: ScriptedS3) -> None:
    endpoint.answer("PUT", Refusal(412))

    assert deliver(destination(endpoint.url), [FIRST]) == [(FIRST.key, DELIVERED)]

    assert endpoint.objects == {FIRST.key: FIRST.content()}


@pytest.mark.parametrize(
    ("method", "answer", "kind", "message"),
    [
        ("HEAD", Refusal(403), PermanentError, answered("HTTP 403.", ACCESS_REMEDY)),
        ("HEAD", Refusal(503), SlowDownError, answered("HTTP 503.", LATER)),
        ("GET", Refusal(403, "AccessDenied", "No."), PermanentError, answered("403 AccessDenied: No.", ACCESS_REMEDY)),
        ("GET", Reset(), TransientError, f"Bucket {BUCKET}: the connection to ENDPOINT broke. {LATER}"),
    ],
    ids=["HEAD 403", "HEAD 503", "GET 403", "GET reset"],
)
def test_a_comparison_that_fails_is_no_verdict(
    endpoint: ScriptedS3, method: str, answer: Answer, kind: type[ReplicationError], message: str
) -> None:
    other = document(1, title="Grüße, Erde!!").content()
    assert len(other) == len(FIRST.content())
    endpoint.objects[FIRST.key] = other
    endpoint.always_answer(method, answer)
    reported: list[tuple[str, Delivery]] = []

    assert fails(destination(endpoint.url), reported) == (kind, message.replace("ENDPOINT", endpoint.url))

    assert (reported, endpoint.objects) == ([], {FIRST.key: other})


def test_nobody_listens() -> None:
    url = f"http://127.0.0.1:{free_port()}"

    assert fails(destination(url)) == (
        TransientError,
        f"Bucket {BUCKET}: no connection to {url}: Connection refused. {CHECK_LATER}",
    )


def test_a_host_that_does_not_exist() -> None:
    assert fails(destination("http://s3.no-such-host.invalid")) == (
        TransientError,
        f"Bucket {BUCKET}: no connection to http://s3.no-such-host.invalid: its name has no address. {CHECK_LATER}",
    )


TLS_REMEDY = (
    "Correct `endpoint_url` of the connection (https:// or http://?), or give the store a certificate that this machine "
    "trusts."
)


def test_https_to_a_port_without_tls(endpoint: ScriptedS3) -> None:
    url = endpoint.url.replace("http://", "https://")

    assert fails(destination(url)) == (
        PermanentError,
        f"Bucket {BUCKET}: no connection to {url}: it does not speak TLS. {TLS_REMEDY}",
    )


@pytest.fixture
def self_signed(tmp_path: Path) -> ssl.SSLContext:
    return self_signed_server(tmp_path)


def test_a_certificate_that_nobody_trusts(self_signed: ssl.SSLContext) -> None:
    with scripted_s3(BUCKET, tls=self_signed) as endpoint:
        assert fails(destination(endpoint.url)) == (
            PermanentError,
            f"Bucket {BUCKET}: no connection to {endpoint.url}: its TLS certificate is not valid here (UnknownIssuer). {TLS_REMEDY}",
        )
        assert deliver(destination(endpoint.url, verify=False), [FIRST]) == [(FIRST.key, DELIVERED)]


def raises(fault: Exception) -> Callable[[], Any]:
    def no_credentials() -> Any:
        raise fault

    return no_credentials


def test_a_role_that_may_not_be_assumed(endpoint: ScriptedS3) -> None:
    denied = ClientError({"Error": {"Code": "AccessDenied", "Message": f"{ACCESS_KEY} may not."}}, "AssumeRole")

    kind, message = fails(destination(endpoint.url, credentials=raises(denied)))

    assert kind is PermanentError
    assert message == (
        f"Bucket {BUCKET}: the connection gave no credentials: ClientError: An error occurred (AccessDenied) when calling "
        "the AssumeRole operation: *** may not. Give the connection an access key that is valid, or a role that it may "
        "assume."
    )
    assert endpoint.requests == []


def test_credentials_that_cannot_be_had_just_now(endpoint: ScriptedS3) -> None:
    away = EndpointConnectionError(endpoint_url="https://sts.amazonaws.com/")

    kind, message = fails(destination(endpoint.url, credentials=raises(away)))

    assert kind is TransientError
    assert message == (
        f"Bucket {BUCKET}: the connection gave no credentials: EndpointConnectionError: Could not connect to the endpoint "
        f'URL: "https://sts.amazonaws.com/". {LATER}'
    )


def test_many_in_flight_end_with_one_error_and_a_second_run_completes(endpoint: ScriptedS3) -> None:
    endpoint.answer("PUT", *[Served()] * 50)
    endpoint.always_answer("PUT", Refusal(403, "AccessDenied", "No."))
    many = [document(number) for number in range(200)]
    access = S3Access(bucket=BUCKET, credentials=credentials, endpoint_url=endpoint.url)
    to = S3Destination(
        s3_store(access, settings(), retries=NO_RETRIES), bucket=BUCKET, in_flight=32, waits=FEW_AND_FAST
    )
    reported: list[tuple[str, Delivery]] = []

    with pytest.raises(PermanentError) as raised:
        to.deliver(iter(many), lambda document, delivery, _=None: reported.append((document.key, delivery)))

    assert str(raised.value) == answered("403 AccessDenied: No.", ACCESS_REMEDY)
    assert len(endpoint.objects) == 50
    assert {key for key, _ in reported} <= set(endpoint.objects)
    assert len(endpoint.requests) <= 50 + 32
    endpoint.recover()
    again = Counter(delivery for _, delivery in deliver(to, many))
    assert again.total() == 200
    assert again[ALREADY_PRESENT] >= 50  # more, where requests that were given up arrived after all
    assert endpoint.objects == {each.key: each.content() for each in many}


@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_staging_and_ledger_in_a_bucket_tell_no_secrets_either(endpoint: ScriptedS3, method: str) -> None:
    endpoint.always_answer(method, Refusal(403, "SignatureDoesNotMatch", "The signature does not match.", ECHOES))
    access = S3Access(bucket=BUCKET, credentials=credentials, endpoint_url=endpoint.url)
    storage = Storage(s3_store(access, settings(), retries=NO_RETRIES), f"s3://{BUCKET}/staging")

    with pytest.raises(TransientError) as raised:
        storage.write("run-1/file", b"x") if method == "PUT" else storage.read("run-1/file")

    message = re.sub(r"in [0-9.]+.?s ", "in TIME ", str(raised.value))
    assert message == (
        f"Cannot {'write' if method == 'PUT' else 'read'} s3://{BUCKET}/staging/run-1/file: The operation lacked the "
        f"necessary privileges to complete for path run-1/file: Error performing {method} {endpoint.url}/{BUCKET}/run-1/file "
        "in TIME - Server returned non-2xx status code: 403 Forbidden: SignatureDoesNotMatch"
    )
