"""Seals signed through an Airflow connection by KMS: boto3 talks to a server that answers as AWS documents KMS."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.support.sealed_archive import fingerprint_of as fingerprint_by_hand
from tests.support.sealed_archive import key_pair
from tests.support.sealing import Installation, jobs_of

from job_history.errors import PermanentError, ReplicationError, TransientError
from job_history.errors.code import Code
from job_history.seals.signer import fingerprint_of

KEY_ID = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


class Kms(BaseHTTPRequestHandler):
    """Has one key of type ECC_NIST_EDWARDS25519. `refusal`: status and error of each answer; `requests`: by target."""

    refusal: ClassVar[tuple[int, str] | None] = None
    requests: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        target = self.headers["X-Amz-Target"].removeprefix("TrentService.")
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append(target)
        if self.refusal is not None:
            self._answer(self.refusal[0], {"__type": self.refusal[1], "message": "as the test has it"})
        elif asked["KeyId"] != KEY_ID:
            self._answer(400, {"__type": "NotFoundException", "message": f"Key {asked['KeyId']!r} does not exist"})
        elif target == "GetPublicKey":
            public = key_pair().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
            self._answer(200, {**_FACTS, "PublicKey": base64.b64encode(public).decode()})
        elif (asked["SigningAlgorithm"], asked["MessageType"]) == ("ED25519_SHA_512", "RAW"):
            signature = key_pair().sign(base64.b64decode(asked["Message"]))
            self._answer(200, {"KeyId": KEY_ID, "Signature": base64.b64encode(signature).decode()})
        else:
            self._answer(400, {"__type": "InvalidKeyUsageException", "message": "not for this key"})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


_FACTS = {
    "KeyId": KEY_ID,
    "KeySpec": "ECC_NIST_EDWARDS25519",
    "KeyUsage": "SIGN_VERIFY",
    "SigningAlgorithms": ["ED25519_SHA_512", "ED25519_PH_SHA_512"],
}


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Kms]]:
    class OfThisTest(Kms):
        requests: ClassVar[list[str]] = []

    server = ThreadingHTTPServer(("127.0.0.1", 0), OfThisTest)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    aws = {
        "conn_type": "aws",
        "login": "AKIAEXAMPLE",
        "password": "canary-secret",
        "extra": {"region_name": "eu-central-1", "endpoint_url": f"http://127.0.0.1:{server.server_port}"},
    }
    seals = {"conn_type": "generic", "extra": {"kms_key_id": KEY_ID, "aws_conn_id": "security"}}
    monkeypatch.setenv("AIRFLOW_CONN_SECURITY", json.dumps(aws))
    monkeypatch.setenv("AIRFLOW_CONN_SEALS", json.dumps(seals))
    monkeypatch.setenv("AIRFLOW__JOB_HISTORY__SIGNING_CONN_ID", "seals")
    yield OfThisTest
    server.shutdown()
    server.server_close()


def test_seals_that_kms_signs_are_proven(kms: type[Kms], tmp_path: Path) -> None:
    from job_history_airflow.factories.sealing import check_signing_key, signer_of_installation

    one = Installation(tmp_path, signer=signer_of_installation)
    for hour in range(2):
        assert one.run(hour, jobs_of(hour, hour + 1)).warnings == []
    assert (one.verified().code, one.verified().documents) == (0, {"proven": 2})
    signer = signer_of_installation()
    assert signer is not None
    assert fingerprint_of(signer) == fingerprint_by_hand(key_pair())
    assert kms.requests == ["GetPublicKey", "Sign"] * 2 + ["GetPublicKey"]
    assert check_signing_key() == []


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, "KeyUnavailableException", TransientError),
        (400, "DependencyTimeoutException", TransientError),
        (400, "AccessDeniedException", PermanentError),
        (400, "DisabledException", PermanentError),
        (400, "KMSInvalidStateException", PermanentError),
        (400, "ThrottlingException", TransientError),
        (500, "KMSInternalException", TransientError),
    ],
)
def test_refusal_of_kms_delays_the_seals_and_names_the_connection(
    kms: type[Kms], tmp_path: Path, status: int, error: str, kind: type[ReplicationError]
) -> None:
    from job_history_airflow.factories.sealing import check_signing_key, signer_of_installation

    one = Installation(tmp_path, signer=signer_of_installation)
    one.run(0, {})
    kms.refusal = (status, error)
    with pytest.raises(kind) as raised:
        signer_of_installation()
    assert raised.value.code is Code.SIGNING_KEY_UNUSABLE
    assert "security" in str(raised.value)
    assert f"KMS answered GetPublicKey with {status} {error}" in str(raised.value)
    # The connection's credentials were accepted.
    assert "S3_" not in str(raised.value)
    assert "credentials" not in str(raised.value)
    assert "canary-secret" not in str(raised.value)
    assert [found.code for found in check_signing_key()] == [Code.SIGNING_KEY_UNUSABLE]
    report = one.run(1, {})
    assert (report.unsealed, report.problems) == (1, [])
    kms.refusal = None
    assert one.run(2, {}).unsealed == 0
    assert one.verified().code == 0


def test_kms_that_fails_between_two_seals_delays_the_second(kms: type[Kms], tmp_path: Path) -> None:
    from job_history_airflow.factories.sealing import signer_of_installation

    class FailsLater:
        """Signs once; then KMS is away."""

        def __init__(self) -> None:
            self._signer = signer_of_installation()
            assert self._signer is not None
            self.public_key = self._signer.public_key

        def sign(self, message: bytes) -> str:
            assert self._signer is not None
            text = self._signer.sign(message)
            kms.refusal = (500, "KMSInternalException")
            return text

    one = Installation(tmp_path, signer=FailsLater)
    one.deliver({**jobs_of(0, 1), **jobs_of(1, 2)})
    one.now = one.now.replace(hour=5)
    report = one.report([one.receipt(0, jobs_of(0, 1), "run"), one.receipt(1, jobs_of(1, 2), "run")])
    assert (report.unsealed, report.heads["5234/jobs"].seq) == (1, 1)
    assert "'security'" in report.warnings[0]
    assert "KMS answered Sign with 500" in report.warnings[0]
    kms.refusal, one.signer = None, signer_of_installation
    assert one.report([]).unsealed == 0
    assert (one.verified().code, one.ledger_verified().code) == (0, 0)
