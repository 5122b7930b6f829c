"""What a preflight of a bucket finds, against an endpoint that misbehaves by a script; on real stores:
tests/contract.
"""

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
from tests.support.deliveries import access
from tests.support.scripted_s3 import Answer, Refusal, Request, Reset, ScriptedS3, Served, Slow, scripted_s3
from tests.support.sockets import full_port
from tests.unit.samples import account

from job_history.accounts.account import Account
from job_history.accounts.destination_settings import S3DestinationSettings
from job_history.errors.catalogue import CATALOGUE
from job_history.errors.code import Code, Severity
from job_history.errors.finding import Finding
from job_history.errors.masking import secret_masker
from job_history.preflight.probe import PROBES, probe_key
from job_history.preflight.s3 import ProbingClients, S3Check
from job_history.storage.s3 import resolve
from job_history.storage.s3.boto3_errors import problem_of_boto3
from simulators.processes import free_port
from simulators.s3_endpoint import S3Endpoint

BUCKET = "acme-audit"
ACCESS_KEY = "AKIACANARY0123456789"
SECRETS = (ACCESS_KEY, "secret/CANARY", "token/CANARY", "signature/CANARY")
ECHOES = {"AWSAccessKeyId": ACCESS_KEY, "SignatureProvided": "signature/CANARY", "Token-0": "token/CANARY"}


def account_to_s3(**settings: Any) -> tuple[Account, S3DestinationSettings]:
    acme = account(destination={"type": "s3", "conn_id": "acme_s3", "bucket": BUCKET, **settings})
    assert isinstance(acme.destination, S3DestinationSettings)
    return acme, acme.destination


@pytest.fixture(params=["auto", "boto3"])
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With auto, obstore gets the session token, as for a bucket of Amazon S3."""
    monkeypatch.setattr(resolve, "_is_s3_of_aws", lambda _url: True)
    return str(request.param)


@pytest.fixture
def endpoint() -> Iterator[ScriptedS3]:
    with scripted_s3(BUCKET) as endpoint:
        yield endpoint


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("job_history.preflight.s3.CONNECT_SECONDS", 0.3)
    monkeypatch.setattr("job_history.preflight.s3.ANSWER_SECONDS", 0.5)


SESSION = boto3.Session(
    aws_access_key_id=ACCESS_KEY,
    aws_secret_access_key="secret/CANARY",
    aws_session_token="token/CANARY",
    region_name="us-east-1",
)


def check(url: str, *, verify: bool | str | None = None, now: datetime | None = None, **settings: Any) -> list[Finding]:
    acme, destination = account_to_s3(**settings)
    found_access = access(S3Endpoint(url), BUCKET, session=SESSION, verify=verify, **settings)
    found = S3Check(ProbingClients(found_access), acme, destination, now=lambda: now or datetime.now(UTC)).findings()
    assert [secret for secret in SECRETS if secret in repr(found)] == []
    # Each names the account, and has the advice of the catalogue.
    assert [finding.fix for finding in found] == [CATALOGUE[finding.code].fix for finding in found]
    assert all(finding.cause.startswith("Account 5234 Acme, bucket acme-audit at ") for finding in found)
    return found


def codes(found: list[Finding]) -> list[Code]:
    return [finding.code for finding in found]


def key_of(**settings: Any) -> str:
    acme, destination = account_to_s3(**settings)
    return probe_key(acme, destination)


def methods(endpoint: ScriptedS3) -> list[str]:
    return [request.method for request in endpoint.requests]


class TestNothingWrong:
    def test_the_probe_is_created_refused_a_second_time_and_read_back(
        self, endpoint: ScriptedS3, transport: str
    ) -> None:
        assert check(endpoint.url, transport=transport) == []
        assert methods(endpoint) == ["PUT", "PUT", "GET", "HEAD"]
        (key, content), *_ = endpoint.objects.items()
        assert key == key_of(transport=transport)
        assert b'"user_id":5234' in content

    def test_a_second_check_finds_it_and_writes_nothing(self, endpoint: ScriptedS3, transport: str) -> None:
        check(endpoint.url, transport=transport)
        endpoint.requests.clear()

        assert check(endpoint.url, transport=transport) == []
        assert methods(endpoint) == ["PUT", "GET", "HEAD"]
        assert endpoint.writes.total() == 1

    def test_it_is_below_the_accounts_prefix_and_another_one_for_other_settings(self, endpoint: ScriptedS3) -> None:
        acme, _ = account_to_s3(prefix="audit/acme")

        assert check(endpoint.url, prefix="audit/acme") == []
        assert list(endpoint.objects) == [f"audit/acme/_control/probe/5234-{acme.settings_hash}.json"]
        assert acme.settings_hash != account_to_s3()[0].settings_hash

    def test_an_account_that_overwrites_writes_it_once_without_a_condition(
        self, endpoint: ScriptedS3, transport: str
    ) -> None:
        endpoint.always_answer("PUT", RefusedConditions())

        assert check(endpoint.url, write_mode="overwrite", transport=transport) == []
        assert methods(endpoint) == ["PUT", "GET", "HEAD"]


@dataclass(frozen=True)
class RefusedConditions:
    """A store that does not know conditional PUT, and answers so."""

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
    """Serves, and reports how it encrypts the object."""

    method: str
    key_id: str = ""

    async def give(self, endpoint: ScriptedS3, request: web.Request, body: bytes) -> web.StreamResponse:
        answer = endpoint.serve(request, body)
        answer.headers["x-amz-server-side-encryption"] = self.method
        if self.key_id:
            answer.headers["x-amz-server-side-encryption-aws-kms-key-id"] = self.key_id
        return answer


def role_refused(code: str, status: int) -> ClientError:
    answer = {"Error": {"Code": code, "Message": f"{ACCESS_KEY} may not assume it"}}
    return ClientError({**answer, "ResponseMetadata": {"HTTPStatusCode": status}}, "AssumeRole")


# What the store answers a PUT with, the code, and a part of the cause.
REFUSALS: dict[str, tuple[Answer, Code, str]] = {
    "no bucket": (Refusal(404, "NoSuchBucket", "No bucket"), Code.S3_NO_SUCH_BUCKET, "(404 NoSuchBucket: No bucket)"),
    "access key": (Refusal(403, "InvalidAccessKeyId", f"{ACCESS_KEY}?", ECHOES), Code.S3_UNKNOWN_ACCESS_KEY, "***?"),
    "secret key": (Refusal(403, "SignatureDoesNotMatch", "No.", ECHOES), Code.S3_WRONG_SECRET_KEY, "(403 Sig"),
    "keys repeated": (
        Refusal(403, "AccessDenied", "Not with secret/CANARY and token%2FCANARY."),
        Code.S3_ACCESS_DENIED,
        "Not with *** and ***",
    ),
    "expired token": (Refusal(400, "ExpiredToken", "Expired.", ECHOES), Code.S3_TOKEN_EXPIRED, "(400 ExpiredToken"),
    "invalid token": (Refusal(400, "InvalidToken", "Malformed.", ECHOES), Code.S3_TOKEN_INVALID, "(400 InvalidToken"),
    "region by redirect": (
        Refusal(301, "PermanentRedirect", headers={"x-amz-bucket-region": "eu-west-1"}),
        Code.S3_WRONG_REGION,
        "went to us-east-1",
    ),
    "region by signature": (
        Refusal(400, "AuthorizationHeaderMalformed", "Wrong", {"Region": "eu-west-1"}),
        Code.S3_WRONG_REGION,
        "the bucket is in eu-west-1, but the request went to us-east-1",
    ),
    "region unknown": (Refusal(307, "TemporaryRedirect", "Elsewhere."), Code.S3_WRONG_REGION, "in another region"),
    "may not write": (Refusal(403, "AccessDenied"), Code.S3_ACCESS_DENIED, f"may not write `{PROBES}/5234-"),
    "may not write, no body": (Refusal(403), Code.S3_ACCESS_DENIED, "(403)"),
    "may not use the KMS key": (
        Refusal(403, "AccessDenied", "not authorized to perform: kms:GenerateDataKey"),
        Code.S3_KMS_ACCESS_DENIED,
        "may not use the KMS key to write",
    ),
    "no KMS key": (Refusal(400, "KMS.NotFoundException", "No key."), Code.S3_KMS_KEY_NOT_FOUND, "(400 KMS."),
    "disabled KMS key": (Refusal(400, "KMS.DisabledException", "Off."), Code.S3_KMS_KEY_DISABLED, "(400 KMS."),
    "clock refused": (Refusal(403, "RequestTimeTooSkewed", "Late."), Code.S3_CLOCK_SKEWED, "(403 RequestTimeTooSkewed"),
    "no conditional PUT": (RefusedConditions(), Code.S3_CREATE_ONLY_UNKNOWN, "(501 NotImplemented"),
    "no checksum": (
        Refusal(400, "InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required"),
        Code.S3_CHECKSUM_REQUIRED,
        "(400 InvalidRequest",
    ),
    "something else": (Refusal(400, "InvalidDigest", "Invalid."), Code.S3_REFUSED, "400 InvalidDigest"),
    "throttled": (Refusal(503, "SlowDown", "Slower."), Code.S3_BUSY, "503 SlowDown"),
    "internal error": (Refusal(500, "InternalError", "Sorry."), Code.S3_BUSY, "500 InternalError"),
    "another writer": (Refusal(409, "ConditionalRequestConflict", "Now."), Code.S3_BUSY, "409 Conditional"),
    "broken connection": (Reset(), Code.S3_NO_ANSWER, "the connection broke"),
    "too slow": (Slow(5), Code.S3_NO_ANSWER, "no answer in time"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refused_write_is_named_and_attempted_once(endpoint: ScriptedS3, transport: str, name: str) -> None:
    answer, code, part = REFUSALS[name]
    endpoint.always_answer("PUT", answer)

    (found,) = check(endpoint.url, transport=transport)

    assert (found.code, found.severity) == (code, CATALOGUE[code].severity)
    assert part in found.cause
    assert endpoint.requests == [Request("PUT", key_of(transport=transport))]


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Refusal(403, "AccessDenied", "Access Denied"), Code.S3_ACCESS_DENIED),
        (Refusal(403, "AccessDenied", "not authorized to perform: kms:Decrypt"), Code.S3_KMS_ACCESS_DENIED),
        (Refusal(404, "NoSuchKey", "The specified key does not exist."), Code.S3_OTHER_BYTES),
        (Refusal(404, "NoSuchBucket", "No bucket"), Code.S3_NO_SUCH_BUCKET),
    ],
)
def test_a_refused_read_is_named(endpoint: ScriptedS3, transport: str, answer: Answer, code: Code) -> None:
    endpoint.always_answer("GET", answer)

    assert codes(check(endpoint.url, transport=transport)) == [code]


def test_other_bytes_than_were_written(endpoint: ScriptedS3, transport: str) -> None:
    endpoint.objects[key_of(transport=transport)] = b"<html>"

    assert codes(check(endpoint.url, transport=transport)) == [Code.S3_OTHER_BYTES]


def test_a_store_that_ignores_the_condition_is_found_out_and_the_setting_named(
    endpoint: ScriptedS3, transport: str
) -> None:
    endpoint.always_answer("PUT", IgnoredConditions())

    found = check(endpoint.url, transport=transport)

    assert codes(found) == [Code.S3_CREATE_ONLY_IGNORED]
    assert '"write_mode": "overwrite"' in found[0].fix


def test_a_redirect_is_not_followed_with_the_session_token(endpoint: ScriptedS3, transport: str) -> None:
    with scripted_s3(BUCKET) as elsewhere:
        location = elsewhere.url.replace("127.0.0.1", "localhost") + f"/{BUCKET}/x"
        endpoint.always_answer("GET", Refusal(307, "TemporaryRedirect", headers={"Location": location}))

        assert codes(check(endpoint.url, transport=transport)) == [Code.S3_WRONG_REGION]
        assert elsewhere.requests == []


class TestEncryption:
    def test_what_is_set_is_asked_for_and_found(self, endpoint: ScriptedS3) -> None:
        endpoint.always_answer("HEAD", Encrypted("AES256"))

        assert check(endpoint.url, server_side_encryption="AES256") == []

    def test_a_key_may_be_named_by_its_id_or_by_an_alias(self, endpoint: ScriptedS3) -> None:
        endpoint.always_answer("HEAD", Encrypted("aws:kms", "arn:aws:kms:us-east-1:1:key/2f"))
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
        endpoint.always_answer("HEAD", answer)

        (found,) = check(endpoint.url, **settings)

        assert found.code is Code.S3_NOT_ENCRYPTED_AS_SET
        assert cause in found.cause


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

    @pytest.mark.parametrize(("store", "part"), [(-600, "600 s ahead of"), (301, "301 s behind")])
    def test_a_clock_that_is_off_is_a_warning(self, endpoint: ScriptedS3, store: int, part: str) -> None:
        endpoint.always_answer("HEAD", Dated(self.NOW + timedelta(seconds=store)))

        (found,) = check(endpoint.url, now=self.NOW)

        assert (found.code, found.severity) == (Code.S3_CLOCK_OFF, Severity.WARNING)
        assert part in found.cause

    def test_five_minutes_are_none(self, endpoint: ScriptedS3) -> None:
        endpoint.always_answer("HEAD", Dated(self.NOW + timedelta(seconds=300)))

        assert check(endpoint.url, now=self.NOW) == []


class TestTheWayThere:
    def test_a_refused_connection(self, transport: str) -> None:
        (found,) = check(f"http://127.0.0.1:{free_port()}", transport=transport)

        assert found.code is Code.S3_UNREACHABLE
        assert "Connection refused" in found.cause

    def test_a_connection_that_is_never_accepted(self, transport: str) -> None:
        with full_port() as port:
            (found,) = check(f"http://127.0.0.1:{port}", transport=transport)
        assert found.severity is Severity.TRANSIENT
        assert found.code in {Code.S3_UNREACHABLE, Code.S3_NO_ANSWER}

    def test_a_name_without_an_address(self, transport: str) -> None:
        assert codes(check("http://s3.no-such-host.invalid", transport=transport)) == [Code.S3_NO_ADDRESS]

    def test_no_tls_although_it_is_expected(self, endpoint: ScriptedS3, transport: str) -> None:
        url = endpoint.url.replace("http://", "https://")

        assert codes(check(url, transport=transport)) == [Code.S3_TLS_FAILED]

    def test_a_certificate_is_refused_until_the_machine_trusts_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transport: str
    ) -> None:
        for variable in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
            monkeypatch.delenv(variable, raising=False)
        context: ssl.SSLContext = self_signed_server(tmp_path)
        with scripted_s3(BUCKET, tls=context) as endpoint:
            assert codes(check(endpoint.url, transport=transport)) == [Code.S3_TLS_FAILED]
            assert check(endpoint.url, verify=False, transport=transport) == []

            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / FILE_NAME))
            assert check(endpoint.url, transport=transport) == []


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NoCredentialsError(), Code.S3_NO_CREDENTIALS),
        (CredentialRetrievalError(provider="iam-role", error_msg="timed out"), Code.S3_CREDENTIALS_AWAY),
        (role_refused("AccessDenied", 403), Code.S3_NO_CREDENTIALS),
        (role_refused("Throttling", 400), Code.S3_CREDENTIALS_AWAY),
        (ValueError("Invalid endpoint: s3.example.org"), Code.S3_ENDPOINT_UNUSABLE),
    ],
    ids=["none", "provider away", "role denied", "role throttled", "no URL"],
)
def test_errors_before_a_request(error: Any, code: Code) -> None:
    problem = problem_of_boto3(error, secret_masker("secret/CANARY"))

    assert problem.code is code
    assert ACCESS_KEY not in problem.detail
