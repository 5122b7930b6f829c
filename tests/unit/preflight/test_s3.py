"""What a preflight of a bucket finds, against an endpoint that misbehaves as it is told; on real stores: tests/contract."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from aiohttp import web
from botocore.exceptions import ClientError, CredentialRetrievalError, NoCredentialsError
from tests.support.certificates import FILE_NAME, self_signed_server
from tests.support.scripted_s3 import Answer, Refusal, Request, Reset, ScriptedS3, Served, Slow, scripted_s3
from tests.support.sockets import full_port
from tests.unit.samples import account

from job_history.accounts.account import Account
from job_history.accounts.destination_settings import S3DestinationSettings
from job_history.destinations.s3 import S3Access
from job_history.errors.catalogue import CATALOGUE
from job_history.errors.code import Code, Severity
from job_history.errors.finding import Finding
from job_history.preflight.s3 import S3Check, probe_key
from job_history.preflight.s3_errors import credentials_fault
from simulators.processes import free_port

BUCKET = "acme-audit"
ACCESS_KEY = "AKIACANARY0123456789"
SECRETS = (ACCESS_KEY, "secret/CANARY", "token/CANARY", "signature/CANARY")
ECHOES = {"AWSAccessKeyId": ACCESS_KEY, "SignatureProvided": "signature/CANARY", "Token-0": "token/CANARY"}


def account_to_s3(**settings: Any) -> tuple[Account, S3DestinationSettings]:
    acme = account(destination={"type": "s3", "conn_id": "acme_s3", "bucket": BUCKET, **settings})
    assert isinstance(acme.destination, S3DestinationSettings)
    return acme, acme.destination


ACCOUNT, SETTINGS = account_to_s3()
KEY = f"_control/probe/5234-{ACCOUNT.settings_hash}.json"
PROBE = (
    '{"probe":"Written by job history replication to see whether it can write here. No job; leave it be.",'
    f'"user_id":5234,"settings_hash":"{ACCOUNT.settings_hash}"}}\n'
).encode()


@pytest.fixture
def endpoint() -> Iterator[ScriptedS3]:
    with scripted_s3(BUCKET) as endpoint:
        yield endpoint


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("job_history.preflight.s3_client.CONNECT_SECONDS", 0.3)
    monkeypatch.setattr("job_history.preflight.s3_client.READ_SECONDS", 0.5)


SESSION = boto3.Session(
    aws_access_key_id=ACCESS_KEY, aws_secret_access_key="secret/CANARY", aws_session_token="token/CANARY"
)


def credentials() -> dict[str, str]:
    return {"secret_access_key": "secret/CANARY", "token": "token/CANARY"}


def check(
    url: str, *, verify: bool = True, now: datetime | None = None, with_session: Any = None, **settings: Any
) -> list[Finding]:
    acme, destination = account_to_s3(**settings)
    access = S3Access(bucket=BUCKET, credentials=credentials, endpoint_url=url, verify=verify)
    found = S3Check(with_session or SESSION, access, acme, destination, now=lambda: now or datetime.now(UTC)).findings()
    assert [secret for secret in SECRETS if secret in repr(found)] == []
    return found


def reported(found: list[Finding]) -> list[tuple[Code, Severity, str]]:
    """Code, severity and cause of each finding, whose fix is that of the catalogue."""
    assert [finding.fix for finding in found] == [CATALOGUE[finding.code].fix for finding in found]
    return [(finding.code, finding.severity, finding.cause) for finding in found]


def one(code: Code, cause: str, endpoint: ScriptedS3 | str) -> list[tuple[Code, Severity, str]]:
    url = endpoint if isinstance(endpoint, str) else endpoint.url
    return [(code, CATALOGUE[code].severity, f"Account 5234 Acme, bucket acme-audit at {url}: {cause}.")]


class TestWhereNothingIsWrong:
    @pytest.mark.promise("preflight-leaves-little")
    def test_the_probe_is_created_created_in_vain_and_read_back(self, endpoint: ScriptedS3) -> None:
        assert check(endpoint.url) == []
        assert endpoint.requests == [Request("PUT", KEY), Request("PUT", KEY), Request("GET", KEY)]
        assert endpoint.objects == {KEY: PROBE}

    def test_a_second_check_finds_it_there_and_writes_nothing(self, endpoint: ScriptedS3) -> None:
        check(endpoint.url)
        endpoint.requests.clear()

        assert check(endpoint.url) == []
        assert endpoint.requests == [Request("PUT", KEY), Request("GET", KEY)]

    def test_it_lies_below_the_accounts_prefix_and_is_another_one_for_other_settings(
        self, endpoint: ScriptedS3
    ) -> None:
        acme, settings = account_to_s3(prefix="audit/acme")

        assert check(endpoint.url, prefix="audit/acme") == []
        assert list(endpoint.objects) == [f"audit/acme/_control/probe/5234-{acme.settings_hash}.json"]
        assert probe_key(acme, settings) == next(iter(endpoint.objects))
        assert acme.settings_hash != ACCOUNT.settings_hash

    def test_where_the_account_overwrites_it_is_written_once_and_create_only_is_not_asked_for(
        self, endpoint: ScriptedS3
    ) -> None:
        endpoint.always_answer("PUT", RefusedConditions())

        assert check(endpoint.url, write_mode="overwrite") == []
        assert [request.method for request in endpoint.requests] == ["PUT", "GET"]


@dataclass(frozen=True)
class RefusedConditions:
    """A store that does not know conditional PUT, and says so."""

    async def give(self, endpoint: ScriptedS3, request: web.Request, body: bytes) -> web.StreamResponse:
        refused = Refusal(501, "NotImplemented", "A header you provided is not implemented.")
        answer: Answer = refused if "If-None-Match" in request.headers else Served()
        return await answer.give(endpoint, request, body)


@dataclass(frozen=True)
class IgnoredConditions:
    """A store that does not know conditional PUT, and does not say so."""

    async def give(self, endpoint: ScriptedS3, request: web.Request, body: bytes) -> web.StreamResponse:
        endpoint.objects.pop(request.path.removeprefix(f"/{BUCKET}/"), None)
        return endpoint.serve(request, body)


@dataclass(frozen=True)
class Encrypted:
    """Serves, and says how it keeps the object."""

    method: str
    key_id: str = ""

    async def give(self, endpoint: ScriptedS3, request: web.Request, body: bytes) -> web.StreamResponse:
        answer = endpoint.serve(request, body)
        answer.headers["x-amz-server-side-encryption"] = self.method
        if self.key_id:
            answer.headers["x-amz-server-side-encryption-aws-kms-key-id"] = self.key_id
        return answer


# What the store answers a PUT with, and the finding: its code, and its cause.
REFUSALS: dict[str, tuple[Answer, Code, str]] = {
    "no bucket": (
        Refusal(404, "NoSuchBucket", "The specified bucket does not exist"),
        Code.S3_NO_SUCH_BUCKET,
        "there is no such bucket (404 NoSuchBucket: The specified bucket does not exist)",
    ),
    "unknown access key": (
        Refusal(403, "InvalidAccessKeyId", f"The key {ACCESS_KEY} does not exist in our records.", ECHOES),
        Code.S3_UNKNOWN_ACCESS_KEY,
        "the store does not know the access key (403 InvalidAccessKeyId: The key *** does not exist in our records)",
    ),
    "wrong secret key": (
        Refusal(403, "SignatureDoesNotMatch", "The request signature we calculated does not match.", ECHOES),
        Code.S3_WRONG_SECRET_KEY,
        "the secret key is not that of the access key (403 SignatureDoesNotMatch: The request signature we calculated does "
        "not match)",
    ),
    "keys repeated": (
        Refusal(403, "AccessDenied", "Not with secret/CANARY and token%2FCANARY."),
        Code.S3_ACCESS_DENIED,
        f"the identity may not write `{KEY}` (403 AccessDenied: Not with *** and ***)",
    ),
    "expired token": (
        Refusal(400, "ExpiredToken", "The provided token has expired.", ECHOES),
        Code.S3_TOKEN_EXPIRED,
        "the session token is too old (400 ExpiredToken: The provided token has expired)",
    ),
    "invalid token": (
        Refusal(400, "InvalidToken", "The provided token is malformed.", ECHOES),
        Code.S3_TOKEN_INVALID,
        "the session token is not valid (400 InvalidToken: The provided token is malformed)",
    ),
    "another region, by redirect": (
        Refusal(301, "PermanentRedirect", "Use the specified endpoint.", headers={"x-amz-bucket-region": "eu-west-1"}),
        Code.S3_WRONG_REGION,
        "the bucket is in eu-west-1, but the request went to us-east-1 (301 PermanentRedirect: Use the specified endpoint)",
    ),
    "another region, by signature": (
        Refusal(400, "AuthorizationHeaderMalformed", "The region 'us-east-1' is wrong", {"Region": "eu-west-1"}),
        Code.S3_WRONG_REGION,
        "the bucket is in eu-west-1, but the request went to us-east-1 (400 AuthorizationHeaderMalformed: The region 'us-east-1' "
        "is wrong)",
    ),
    "another region, which is not told": (
        Refusal(307, "TemporaryRedirect", "Elsewhere."),
        Code.S3_WRONG_REGION,
        "the bucket is in another region, but the request went to us-east-1 (307 TemporaryRedirect: Elsewhere)",
    ),
    "may not write": (
        Refusal(403, "AccessDenied", "Access Denied"),
        Code.S3_ACCESS_DENIED,
        f"the identity may not write `{KEY}` (403 AccessDenied: Access Denied)",
    ),
    "may not write, without a word": (
        Refusal(403),
        Code.S3_ACCESS_DENIED,
        f"the identity may not write `{KEY}` (403 403: Forbidden)",
    ),
    "may not use the KMS key": (
        Refusal(403, "AccessDenied", "User: arn:aws:iam::1:user/x is not authorized to perform: kms:GenerateDataKey"),
        Code.S3_KMS_ACCESS_DENIED,
        f"the identity may not use the KMS key to write `{KEY}` (403 AccessDenied: User: arn:aws:iam::1:user/x is not "
        "authorized to perform: kms:GenerateDataKey)",
    ),
    "no KMS key": (
        Refusal(400, "KMS.NotFoundException", "Key 'arn:aws:kms:us-east-1:1:key/2' does not exist"),
        Code.S3_KMS_KEY_NOT_FOUND,
        "there is no such KMS key (400 KMS.NotFoundException: Key 'arn:aws:kms:us-east-1:1:key/2' does not exist)",
    ),
    "disabled KMS key": (
        Refusal(400, "KMS.DisabledException", "arn:aws:kms:us-east-1:1:key/2 is disabled."),
        Code.S3_KMS_KEY_DISABLED,
        "the KMS key cannot be used (400 KMS.DisabledException: arn:aws:kms:us-east-1:1:key/2 is disabled)",
    ),
    "clock refused": (
        Refusal(
            403, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large."
        ),
        Code.S3_CLOCK_SKEWED,
        "this machine's clock is too far from the store's (403 RequestTimeTooSkewed: The difference between the request time "
        "and the current time is too large)",
    ),
    "no conditional PUT": (
        RefusedConditions(),
        Code.S3_CREATE_ONLY_UNKNOWN,
        "the store refuses create-only writes (501 NotImplemented: A header you provided is not implemented)",
    ),
    "something else": (
        Refusal(400, "InvalidDigest", "The Content-MD5 you specified was invalid."),
        Code.S3_REFUSED,
        "the store answered 400 InvalidDigest: The Content-MD5 you specified was invalid",
    ),
    "throttled": (
        Refusal(503, "SlowDown", "Please reduce your request rate."),
        Code.S3_BUSY,
        "the store answered 503 SlowDown: Please reduce your request rate",
    ),
    "internal error": (
        Refusal(500, "InternalError", "We encountered an internal error."),
        Code.S3_BUSY,
        "the store answered 500 InternalError: We encountered an internal error",
    ),
    "somebody else writes it now": (
        Refusal(409, "ConditionalRequestConflict", "A conflicting operation occurred."),
        Code.S3_BUSY,
        "the store answered 409 ConditionalRequestConflict: A conflicting operation occurred",
    ),
    "broken connection": (
        Reset(),
        Code.S3_NO_ANSWER,
        "the store did not answer in time, or the connection broke (the connection broke)",
    ),
    "too slow": (
        Slow(5),
        Code.S3_NO_ANSWER,
        "the store did not answer in time, or the connection broke (no answer in time)",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refused_write_is_named_and_tried_once(endpoint: ScriptedS3, name: str) -> None:
    answer, code, cause = REFUSALS[name]
    endpoint.always_answer("PUT", answer)

    assert reported(check(endpoint.url)) == one(code, cause, endpoint)
    assert endpoint.requests == [Request("PUT", KEY)]


READ_REFUSALS: dict[str, tuple[Answer, Code, str]] = {
    "may not read": (
        Refusal(403, "AccessDenied", "Access Denied"),
        Code.S3_ACCESS_DENIED,
        f"the identity may not read `{KEY}` (403 AccessDenied: Access Denied)",
    ),
    "may not decrypt": (
        Refusal(403, "AccessDenied", "not authorized to perform: kms:Decrypt on this resource"),
        Code.S3_KMS_ACCESS_DENIED,
        f"the identity may not use the KMS key to read `{KEY}` (403 AccessDenied: not authorized to perform: kms:Decrypt on "
        "this resource)",
    ),
    "not there": (
        Refusal(404, "NoSuchKey", "The specified key does not exist."),
        Code.S3_OTHER_BYTES,
        f"`{KEY}` came back with other bytes than were written (nothing is there)",
    ),
}


@pytest.mark.parametrize("name", READ_REFUSALS)
def test_a_refused_read_is_named(endpoint: ScriptedS3, name: str) -> None:
    answer, code, cause = READ_REFUSALS[name]
    endpoint.always_answer("GET", answer)

    assert reported(check(endpoint.url)) == one(code, cause, endpoint)


def test_other_bytes_than_were_written(endpoint: ScriptedS3) -> None:
    endpoint.objects[KEY] = b"<html>"

    assert reported(check(endpoint.url)) == one(
        Code.S3_OTHER_BYTES,
        f"`{KEY}` came back with other bytes than were written (6 instead of {len(PROBE)} bytes)",
        endpoint,
    )


@pytest.mark.promise("preflight-create-only")
def test_a_store_that_ignores_the_condition_is_found_out_and_the_setting_named(endpoint: ScriptedS3) -> None:
    endpoint.always_answer("PUT", IgnoredConditions())

    found = check(endpoint.url)

    assert reported(found) == one(
        Code.S3_CREATE_ONLY_IGNORED,
        f"the store wrote `{KEY}` twice, although the request said create only (If-None-Match)",
        endpoint,
    )
    assert '"write_mode": "overwrite"' in found[0].fix


class TestEncryption:
    def test_what_is_set_is_asked_for_and_found(self, endpoint: ScriptedS3) -> None:
        endpoint.always_answer("GET", Encrypted("AES256"))

        assert check(endpoint.url, server_side_encryption="AES256") == []

    def test_a_key_may_be_named_by_its_id_or_by_an_alias(self, endpoint: ScriptedS3) -> None:
        endpoint.always_answer("GET", Encrypted("aws:kms", "arn:aws:kms:us-east-1:1:key/2f"))
        kms = {"server_side_encryption": "aws:kms"}

        assert check(endpoint.url, **kms) == []
        assert check(endpoint.url, **kms, kms_key_id="2f") == []
        assert check(endpoint.url, **kms, kms_key_id="alias/audit") == []

    @pytest.mark.parametrize(
        ("answer", "settings", "cause"),
        [
            (Served(), {"server_side_encryption": "AES256"}, "nothing, and the account is set to AES256"),
            (
                Encrypted("AES256"),
                {"server_side_encryption": "aws:kms"},
                "AES256, and the account is set to aws:kms",
            ),
            (
                Encrypted("aws:kms", "arn:aws:kms:us-east-1:1:key/other"),
                {"server_side_encryption": "aws:kms", "kms_key_id": "2f"},
                "aws:kms by arn:aws:kms:us-east-1:1:key/other, and the account is set to aws:kms by 2f",
            ),
        ],
    )
    def test_another_one_than_is_set(
        self, endpoint: ScriptedS3, answer: Answer, settings: dict[str, str], cause: str
    ) -> None:
        endpoint.always_answer("GET", answer)
        key = f"_control/probe/5234-{account_to_s3(**settings)[0].settings_hash}.json"

        assert reported(check(endpoint.url, **settings)) == one(
            Code.S3_NOT_ENCRYPTED_AS_SET, f"`{key}` is encrypted with {cause}", endpoint
        )


@dataclass(frozen=True)
class Dated:
    """Serves at another time than now."""

    when: datetime

    async def give(self, endpoint: ScriptedS3, request: web.Request, body: bytes) -> web.StreamResponse:
        answer = endpoint.serve(request, body)
        answer.headers["Date"] = format_datetime(self.when, usegmt=True)
        return answer


class TestClock:
    NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)

    @pytest.mark.parametrize(("store", "detail"), [(-600, "600 s ahead of"), (301, "301 s behind")])
    def test_a_clock_that_is_off_is_a_warning_told_once(self, endpoint: ScriptedS3, store: int, detail: str) -> None:
        endpoint.always_answer("PUT", Dated(self.NOW + timedelta(seconds=store)))

        found = check(endpoint.url, now=self.NOW)

        assert reported(found) == one(
            Code.S3_CLOCK_OFF,
            f"this machine's clock is {detail} the store's; from 900 s on the store refuses requests",
            endpoint,
        )
        assert found[0].severity is Severity.WARNING

    def test_five_minutes_are_none(self, endpoint: ScriptedS3) -> None:
        endpoint.always_answer("PUT", Dated(self.NOW + timedelta(seconds=300)))

        assert check(endpoint.url, now=self.NOW) == []


class TestTheWayThere:
    def test_nobody_listens(self) -> None:
        url = f"http://127.0.0.1:{free_port()}"

        assert reported(check(url)) == one(
            Code.S3_UNREACHABLE, "no connection to the endpoint ([Errno 111] Connection refused)", url
        )

    def test_a_connection_that_is_never_accepted(self) -> None:
        with full_port() as port:
            url = f"http://127.0.0.1:{port}"
            assert reported(check(url)) == one(
                Code.S3_UNREACHABLE, "no connection to the endpoint (no connection in time)", url
            )

    def test_a_name_without_an_address(self) -> None:
        url = "http://s3.no-such-host.invalid"

        assert reported(check(url)) == one(Code.S3_NO_ADDRESS, "the endpoint's name has no address (DNS)", url)

    def test_no_tls_where_it_is_expected(self, endpoint: ScriptedS3) -> None:
        url = endpoint.url.replace("http://", "https://")

        ((code, _, cause),) = reported(check(url))
        assert code is Code.S3_TLS_FAILED
        assert "WRONG_VERSION_NUMBER" in cause

    def test_a_certificate_that_nobody_trusts_until_the_machine_does(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        context: ssl.SSLContext = self_signed_server(tmp_path)
        with scripted_s3(BUCKET, tls=context) as endpoint:
            ((code, _, cause),) = reported(check(endpoint.url))
            assert code is Code.S3_TLS_FAILED
            assert "self-signed certificate" in cause
            assert check(endpoint.url, verify=False) == []

            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / FILE_NAME))
            assert check(endpoint.url) == []

    def test_an_endpoint_that_is_no_url(self) -> None:
        assert reported(check("s3.example.org")) == one(
            Code.S3_ENDPOINT_UNUSABLE, "requests cannot be made (ValueError)", "s3.example.org"
        )


class Refusing:
    """A session whose credentials cannot be had."""

    def __init__(self, fault: Exception) -> None:
        self._fault = fault

    def client(self, *_: Any, **__: Any) -> Any:
        raise self._fault


@pytest.mark.parametrize(
    ("fault", "code", "cause"),
    [
        (
            NoCredentialsError(),
            Code.S3_NO_CREDENTIALS,
            "the connection gave no credentials (Unable to locate credentials)",
        ),
        (
            CredentialRetrievalError(provider="iam-role", error_msg="timed out"),
            Code.S3_CREDENTIALS_AWAY,
            "the service that gives the connection its credentials failed (Error when retrieving credentials from iam-role: "
            "timed out)",
        ),
        (
            ClientError(
                {
                    "Error": {"Code": "AccessDenied", "Message": f"{ACCESS_KEY} may not assume it"},
                    "ResponseMetadata": {"HTTPStatusCode": 403},
                },
                "AssumeRole",
            ),
            Code.S3_NO_CREDENTIALS,
            "the connection gave no credentials (AssumeRole was answered with 403 AccessDenied: *** may not assume it)",
        ),
        (
            ClientError(
                {
                    "Error": {"Code": "Throttling", "Message": "Rate exceeded"},
                    "ResponseMetadata": {"HTTPStatusCode": 400},
                },
                "AssumeRole",
            ),
            Code.S3_CREDENTIALS_AWAY,
            "the service that gives the connection its credentials failed (AssumeRole was answered with 400 Throttling: Rate "
            "exceeded)",
        ),
    ],
    ids=["none", "provider away", "role denied", "role throttled"],
)
def test_credentials_that_cannot_be_had(endpoint: ScriptedS3, fault: Any, code: Code, cause: str) -> None:
    assert reported(check(endpoint.url, with_session=Refusing(fault))) == one(code, cause, endpoint)
    assert endpoint.requests == []
    before_there_is_a_session = credentials_fault(fault, "Account 5234 Acme, connection 'acme_s3'")
    assert (before_there_is_a_session.code, before_there_is_a_session.cause) == (
        code,
        f"Account 5234 Acme, connection 'acme_s3': {cause}.",
    )
