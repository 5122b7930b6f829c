"""Answers of Azure and Google that the stand-ins cannot be made to give: conflicts that are none, and odd successes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.deliveries import deliver, document
from tests.support.scripted_store import MISSING, WRITTEN, Answer, ScriptedStore, existing, refusal, scripted_store

from job_history.destinations import Delivery
from job_history.destinations.object_store import ObjectStoreDestination
from job_history.errors import PermanentError, TransientError
from job_history.errors.code import Code
from job_history.storage import Storage
from job_history.storage.files import ObjectExistsError
from job_history.storage.object_store.access import StoreAccess
from job_history.storage.object_store.container import Container, open_container

KINDS = ("azure_blob", "google_storage")
DOCUMENT = document(1)


@pytest.fixture
def store() -> Iterator[ScriptedStore]:
    with scripted_store() as running:
        yield running


def opened(store: ScriptedStore, kind: str) -> Container:
    url = store.address + ("/acme" if kind == "azure_blob" else "")
    credentials = lambda: {"token": "a-token-of-a-test", "expires_at": None}  # noqa: E731
    access = StoreAccess(container="audit", url=url, account="acme", credentials=credentials, mask=str)
    return open_container(kind, access)


def delivered(store: ScriptedStore, kind: str, **options: Any) -> list[Delivery]:
    destination = ObjectStoreDestination(opened(store, kind), in_flight=1, waits=(0.0, 0.0), **options)
    return [delivery for _, delivery in deliver(destination, [DOCUMENT])]


LASTING = [
    "BlobImmutableDueToPolicy",
    "BlobArchived",
    "InvalidBlobType",
    "PublicAccessNotPermitted",
    "SnapshotsPresent",
]


@pytest.mark.promise("store-errors")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code", [*LASTING, "LeaseIdMissing"])
@pytest.mark.parametrize("mode", ["repair", "overwrite", "check_then_put"])
def test_a_refused_overwrite_is_an_error_that_names_the_container(
    store: ScriptedStore, kind: str, code: str, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It was an ExceptionGroup of an exception without account or cause, and the log had the object as repaired."""
    there = MISSING if mode == "check_then_put" else existing(b"other")
    store.answers = {"PUT": refusal(412 if code == "LeaseIdMissing" else 409, code), "HEAD": there, "GET": there}
    options = {"repair": True} if mode == "repair" else {"write_mode": mode}
    with pytest.raises(PermanentError, match="audit") as refused:
        delivered(store, kind, **options)
    assert refused.value.code is Code.STORE_REFUSED
    assert code in str(refused.value)
    assert "Repaired" not in caplog.text


@pytest.mark.promise("store-errors")
@pytest.mark.parametrize(
    ("refused", "error", "code"),
    [
        *((refusal(409, code), PermanentError, Code.STORE_REFUSED) for code in LASTING),
        (refusal(412, "LeaseIdMissing"), PermanentError, Code.STORE_REFUSED),
        (refusal(409, "ContainerBeingDeleted"), PermanentError, Code.STORE_NO_SUCH_CONTAINER),
        (refusal(403, "UnauthorizedBlobOverwrite"), PermanentError, Code.STORE_ACCESS_DENIED),
        (refusal(409, "AccountBeingCreated"), TransientError, Code.STORE_BUSY),
        (refusal(409, "BlobAlreadyExists"), TransientError, Code.STORE_BUSY),
        (refusal(412, "ConditionNotMet"), TransientError, Code.STORE_BUSY),
        (refusal(412, "PreconditionFailed"), TransientError, Code.STORE_BUSY),
        ((409, {}, b""), TransientError, Code.STORE_BUSY),
    ],
    ids=str,
)
def test_a_refused_create_of_what_is_not_there_is_sorted(
    store: ScriptedStore, refused: Answer, error: type, code: Code
) -> None:
    store.answers = {"PUT": refused, "HEAD": MISSING, "GET": MISSING}
    with pytest.raises(error) as raised:
        delivered(store, "azure_blob")
    assert raised.value.code is code


@pytest.mark.parametrize("code", ["BlobAlreadyExists", "BlobImmutableDueToPolicy", "BlobArchived", "ConditionNotMet"])
@pytest.mark.parametrize("status", [409, 412])
def test_a_create_that_meets_a_blob_compares_its_bytes(store: ScriptedStore, status: int, code: str) -> None:
    for there, outcome in ((DOCUMENT.content(), Delivery.ALREADY_PRESENT), (b"other", Delivery.CONFLICT)):
        store.answers = {"PUT": refusal(status, code), "HEAD": existing(there), "GET": existing(there)}
        assert delivered(store, "azure_blob") == [outcome]


def test_a_sas_that_may_only_create_meets_its_own_blob(store: ScriptedStore) -> None:
    there = existing(DOCUMENT.content())
    store.answers = {"PUT": refusal(403, "UnauthorizedBlobOverwrite"), "HEAD": there, "GET": there}
    assert delivered(store, "azure_blob") == [Delivery.ALREADY_PRESENT]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_the_ledger_that_cannot_be_replaced_is_an_error(store: ScriptedStore, kind: str) -> None:
    store.answers = {"PUT": refusal(409, "BlobImmutableDueToPolicy")}
    with pytest.raises(PermanentError):
        Storage(opened(store, kind), "az://audit").write("file", b"x")


def test_only_a_create_can_meet_an_object(store: ScriptedStore) -> None:
    store.answers = {"PUT": refusal(409, "BlobAlreadyExists")}
    with pytest.raises(TransientError):
        opened(store, "azure_blob").write("file", b"x")
    assert opened(store, "azure_blob").create("file", b"x") is False
    assert not issubclass(ObjectExistsError, PermanentError)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(store: ScriptedStore, kind: str, status: int) -> None:
    with scripted_store() as other:
        other.answers = {"PUT": WRITTEN}
        store.answers = {"PUT": (status, {"Location": f"{other.address}/acme/audit/x"}, b"")}
        with pytest.raises(PermanentError):
            delivered(store, kind)
        assert other.requests == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_to_log_in_is_no_written_object(store: ScriptedStore, kind: str) -> None:
    store.answers = {"PUT": (200, {"Content-Type": "text/html"}, b"<html>Please log in</html>")}
    with pytest.raises(TransientError):
        delivered(store, kind)


@pytest.mark.promise("store-answers")
@pytest.mark.parametrize("kind", KINDS)
def test_a_page_to_log_in_is_no_empty_container(store: ScriptedStore, kind: str) -> None:
    page = (200, {"Content-Type": "text/html"}, b"<html>Please log in</html>")
    store.answers = {"GET": page, "HEAD": page}
    with pytest.raises(TransientError):
        list(opened(store, kind).entries("5234/jobs"))


def test_an_object_that_cannot_be_listed_is_named(store: ScriptedStore) -> None:
    listed = (
        b"<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>5234/jobs//x</Key><Size>1</Size>"
        b"<ETag>&quot;1&quot;</ETag><LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents></ListBucketResult>"
    )
    store.answers = {"GET": (200, {"Content-Type": "application/xml"}, listed)}
    with pytest.raises(PermanentError, match="5234/jobs//x") as raised:
        list(opened(store, "google_storage").entries("5234/jobs"))
    assert raised.value.code is Code.STORE_ODD_KEY


@pytest.mark.promise("masked-secrets")
@pytest.mark.parametrize("kind", KINDS)
def test_a_token_that_no_connection_has_is_masked_where_a_store_repeats_it(store: ScriptedStore, kind: str) -> None:
    """An identity service gives it; the connection's own secrets do not help to find it. Also after a renewal."""
    tokens = [f"a-token-of-an-identity-service-{number}" for number in range(3)]
    left = iter(tokens)
    message = " ".join(tokens).encode()
    store.answers = {"PUT": (403, {}, b"<Error><Code>AccessDenied</Code><Message>%b</Message></Error>" % message)}
    access = opened(store, kind).access
    renewed = replace(access, credentials=lambda: {"token": next(left), "expires_at": datetime.now(UTC)})
    destination = ObjectStoreDestination(open_container(kind, renewed), in_flight=1, waits=())

    for _ in tokens:
        with pytest.raises(PermanentError) as refused:
            deliver(destination, [DOCUMENT])

    assert "403 AccessDenied" in str(refused.value)
    assert not [token for token in tokens if token in str(refused.value)]
