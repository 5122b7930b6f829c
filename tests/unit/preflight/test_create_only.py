"""Ledger and staging area must honour create-only writes; it is tried once for each pair of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.deliveries import access
from tests.support.golden_messages import CheckMessage
from tests.support.scripted_s3 import Refusal, ScriptedS3, scripted_s3

from job_history.errors import PermanentError, TransientError
from job_history.errors.code import Code
from job_history.preflight.create_only import PASSED, check_create_only
from job_history.storage import Storage, local_storage
from job_history.storage.local_folder import LocalFolder
from job_history.storage.s3.open_bucket import open_bucket
from simulators.s3_endpoint import S3Endpoint


class Careless(LocalFolder):
    """Overwrites whatever it is asked to create; with `honest`, it reports that the file was there."""

    honest = False

    def create(self, path: str, content: bytes) -> bool:
        was_there = self.read(path) is not None
        self.write(path, content)
        return not (self.honest and was_there)


class HonestAndCareless(Careless):
    honest = True


@pytest.fixture(scope="module")
def s3() -> Iterator[ScriptedS3]:
    with scripted_s3("ledger") as store:
        yield store


def in_bucket(s3: ScriptedS3) -> Storage:
    s3.reset()
    return Storage(open_bucket(access(S3Endpoint(s3.url, "local", "local"), "ledger")), "s3://ledger")


@pytest.mark.promise("ledger-create-only")
@pytest.mark.parametrize("kind", [Careless, HonestAndCareless])
@pytest.mark.parametrize("place", ["ledger", "staging"])
def test_a_store_that_overwrites_is_refused_by_path_and_store(
    tmp_path: Path, kind: Callable[[Path], LocalFolder], place: str, check_message: CheckMessage
) -> None:
    careless = Storage(kind(tmp_path / "careless"), "s3://versioned/ledger")
    other = local_storage(tmp_path / "good")

    with pytest.raises(PermanentError) as refused:
        check_create_only(*((careless, other) if place == "ledger" else (other, careless)))

    assert refused.value.code is Code.LEDGER_NOT_CREATE_ONLY
    assert "s3://versioned/ledger at this machine" in str(refused.value)
    assert [*careless.paths(PASSED), *other.paths(PASSED)] == []
    check_message(str(refused.value).replace(str(refused.value).split("probe-")[1].split(" ")[0], "0"))


@pytest.mark.promise("ledger-create-only")
def test_it_is_tried_once_and_again_for_another_store(tmp_path: Path, s3: ScriptedS3) -> None:
    ledger, staging = in_bucket(s3), local_storage(tmp_path / "staging")

    check_create_only(ledger, staging)
    assert [path.startswith(f"{PASSED}/probe") for path in ledger.paths(PASSED)] == [False]
    assert list(staging.paths(PASSED)) == []
    s3.requests.clear()
    check_create_only(ledger, staging)
    assert [request.method for request in s3.requests] == ["GET"]

    check_create_only(ledger, local_storage(tmp_path / "elsewhere"))
    assert len(list(ledger.paths(PASSED))) == 2


def test_a_store_that_refuses_conditional_writes_is_named_with_the_remedy(tmp_path: Path, s3: ScriptedS3) -> None:
    ledger = in_bucket(s3)
    s3.always_answer("PUT", Refusal(501, "NotImplemented"))

    with pytest.raises(PermanentError) as refused:
        check_create_only(ledger, local_storage(tmp_path))

    assert refused.value.code is Code.LEDGER_NOT_CREATE_ONLY
    s3.always_answer("PUT", Refusal(503, "SlowDown"))
    with pytest.raises(TransientError):
        check_create_only(ledger, local_storage(tmp_path))


@pytest.mark.promise("ledger-create-only")
def test_a_note_of_something_else_is_no_proof(tmp_path: Path) -> None:
    careless = Storage(Careless(tmp_path), f"file://{tmp_path}")
    honest = local_storage(tmp_path)
    check_create_only(honest, honest)
    [note] = honest.paths(PASSED)
    honest.write(note, b"")

    with pytest.raises(PermanentError) as refused:
        check_create_only(careless, careless)
    assert refused.value.code is Code.LEDGER_NOT_CREATE_ONLY
