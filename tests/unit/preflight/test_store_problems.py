"""What the answers of Azure and Google mean, by their documentation; and the probe on a store that is loose."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from tests.unit.samples import account

from job_history.errors.code import Code
from job_history.preflight.probe import ProbeCheck
from job_history.storage.files import Written
from job_history.storage.object_store.problems import problem_of_store


def answer(status: int, code: str = "", message: str = "") -> str:
    body = f"<Error><Code>{code}</Code><Message>{message}\nRequestId:1</Message></Error>" if code else ""
    return f"Generic error: Error performing PUT x in 1ms - Server returned non-2xx status code: {status} X: {body}"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (answer(404, "ContainerNotFound"), Code.STORE_NO_SUCH_CONTAINER),
        (answer(409, "ContainerBeingDeleted"), Code.STORE_NO_SUCH_CONTAINER),
        (answer(404, "NoSuchBucket"), Code.STORE_NO_SUCH_CONTAINER),
        (answer(403, "AuthenticationFailed"), Code.STORE_NO_CREDENTIALS),
        (answer(401, "InvalidAuthenticationInfo"), Code.STORE_NO_CREDENTIALS),
        (answer(401), Code.STORE_NO_CREDENTIALS),
        (answer(403, "AuthorizationPermissionMismatch"), Code.STORE_ACCESS_DENIED),
        (answer(403, "AccessDenied"), Code.STORE_ACCESS_DENIED),
        (answer(403, "AccountIsDisabled"), Code.STORE_ACCESS_DENIED),
        (answer(403, "RetentionPolicyNotMet"), Code.STORE_REFUSED),
        (answer(403, "ObjectUnderActiveHold"), Code.STORE_REFUSED),
        (answer(500, "InternalError"), Code.STORE_BUSY),
        (answer(503, "ServerBusy"), Code.STORE_BUSY),
        (answer(429), Code.STORE_BUSY),
        (answer(409, "BlobBeingRehydrated"), Code.STORE_REFUSED),
        (answer(400, "InvalidMetadata"), Code.STORE_REFUSED),
        ("HTTP error: dns error: failed to lookup address", Code.STORE_NO_ADDRESS),
        ('kind: Connect, message: "Connection refused"', Code.STORE_UNREACHABLE),
        ("InvalidCertificate(UnknownIssuer)", Code.STORE_TLS_FAILED),
        ("kind: Timeout", Code.STORE_NO_ANSWER),
        ("Generic Config error: x", Code.STORE_ENDPOINT_UNUSABLE),
        ("External Azure credential provider: ValueError: no", Code.STORE_NO_CREDENTIALS),
        (
            "External Google credential provider: ConnectionError: the identity service did not answer: x",
            Code.STORE_CREDENTIALS_AWAY,
        ),
    ],
)
def test_an_answer_has_its_code(text: str, code: Code) -> None:
    assert problem_of_store(text).code is code


def test_only_requests_for_fewer_requests_slow_down() -> None:
    assert [problem_of_store(answer(status)).slow_down for status in (429, 503, 500, 409)] == [True, True, False, False]


class LooseStore:
    """A store that ignores create-only, and may give back other bytes."""

    def __init__(self, given_back: bytes | None) -> None:
        self.given_back = given_back
        self.written = b""

    async def put(self, _key: str, content: bytes, _metadata: Mapping[str, str], *, create: bool) -> Written:  # noqa: ARG002
        self.written = content
        return Written(None, None)

    async def get(self, _key: str) -> bytes | None:
        return self.written if self.given_back is None else self.given_back


@pytest.mark.parametrize(
    ("write_mode", "given_back", "codes"),
    [
        ("create_only", None, [Code.STORE_CREATE_ONLY_IGNORED]),
        ("check_then_put", None, []),
        ("overwrite", b"other", [Code.STORE_OTHER_BYTES]),
    ],
)
def test_the_probe_finds_a_store_that_ignores_create_only_or_changes_bytes(
    write_mode: str, given_back: bytes | None, codes: list[Code]
) -> None:
    settings = SimpleNamespace(key_prefix="", write_mode=write_mode)
    bucket: Any = LooseStore(given_back)
    check = ProbeCheck(account(), settings, "Account 5234 Acme, container acme", lambda: bucket)
    assert [found.code for found in check.findings()] == codes
