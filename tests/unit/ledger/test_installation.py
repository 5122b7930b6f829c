"""The id of a ledger is created once."""

from __future__ import annotations

from pathlib import Path

import pytest

from job_history.errors import PermanentError
from job_history.errors.code import Code
from job_history.ledger.installation import PATH, installation_of
from job_history.storage import Storage, local_storage


def test_the_id_of_a_ledger_is_created_once_and_differs_for_another(tmp_path: Path) -> None:
    ledger = local_storage(tmp_path / "one")
    made = installation_of(ledger)
    assert installation_of(ledger) == made
    assert installation_of(local_storage(tmp_path / "other")) != made


def test_of_two_that_create_the_id_at_once_both_have_the_same(tmp_path: Path) -> None:
    class Overtaken(Storage):
        def create(self, path: str, content: bytes) -> bool:
            installation_of(ledger)
            return super().create(path, content)

    ledger = local_storage(tmp_path)
    assert installation_of(Overtaken(ledger.files, ledger.root)) == installation_of(ledger)


@pytest.mark.promise("strict-decoding")
def test_a_damaged_id_is_an_error_and_is_not_replaced(tmp_path: Path) -> None:
    ledger = local_storage(tmp_path)
    ledger.write(PATH, b"")
    with pytest.raises(PermanentError) as raised:
        installation_of(ledger)
    assert raised.value.code is Code.LEDGER_FILE_DAMAGED
    assert ledger.read(PATH) == b""


@pytest.mark.promise("strict-decoding")
def test_an_empty_id_is_no_id(tmp_path: Path) -> None:
    ledger = local_storage(tmp_path)
    ledger.write(PATH, b'{"id":""}')
    with pytest.raises(PermanentError) as raised:
        installation_of(ledger)
    assert raised.value.code is Code.LEDGER_FILE_DAMAGED
