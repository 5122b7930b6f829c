"""The accounts as the run before saw them."""

from pathlib import Path

import msgspec
import pytest
from tests.unit.samples import account

from job_history.errors.code import Code
from job_history.ledger.known_accounts import KnownAccounts, read_known_accounts, update_known_accounts
from job_history.storage import local_storage

EMPTY = msgspec.Raw(b"{}")


def test_what_was_saved_is_read_and_nothing_is_known_before(tmp_path: Path) -> None:
    ledger, known = local_storage(tmp_path), KnownAccounts.of([account(), account(user_id=77)])

    assert read_known_accounts(ledger) == KnownAccounts()
    for _ in range(2):
        update_known_accounts(ledger, lambda _: known)

    assert read_known_accounts(ledger) == known
    assert list(ledger.paths("")) == ["_control/accounts/r000001.json"]
    changed = [account(user_id=77, name="New"), account(user_id=78)]
    assert known.differing([account(), *changed]) == KnownAccounts.of(changed).settings


@pytest.mark.promise("version-1-ledger")
def test_the_accounts_that_an_earlier_release_saved_are_read_and_left_as_they_are(tmp_path: Path) -> None:
    ledger, known = local_storage(tmp_path), KnownAccounts.of([account()])
    saved = msgspec.json.encode(known)
    ledger.write("_control/accounts.json", saved)

    assert read_known_accounts(ledger) == known
    update_known_accounts(ledger, lambda before: KnownAccounts({**before.settings, "77": EMPTY}))

    assert sorted(read_known_accounts(ledger).settings) == ["5234", "77"]
    assert ledger.read("_control/accounts.json") == saved


def test_two_reports_that_remember_accounts_at_once_lose_none(tmp_path: Path) -> None:
    ledger = local_storage(tmp_path)

    def change(known: KnownAccounts) -> KnownAccounts:
        if "1" not in known.settings:
            update_known_accounts(ledger, lambda before: KnownAccounts({**before.settings, "1": EMPTY}))
        return KnownAccounts({**known.settings, "2": EMPTY})

    update_known_accounts(ledger, change)

    assert sorted(read_known_accounts(ledger).settings) == ["1", "2"]


@pytest.mark.promise("strict-decoding")
@pytest.mark.parametrize("path", ["_control/accounts.json", "_control/accounts/r000004.json"])
@pytest.mark.parametrize("content", [b'{"settings": {"52', b'{"settings": {"52": 34}}'])
def test_known_accounts_that_are_damaged_stop_no_run_and_are_not_overwritten(
    tmp_path: Path, path: str, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    ledger, known = local_storage(tmp_path), KnownAccounts.of([account()])
    ledger.write(path, content)

    assert read_known_accounts(ledger) == KnownAccounts()
    assert Code.LEDGER_FILE_DAMAGED in caplog.text
    assert ledger.url(path) in caplog.text
    update_known_accounts(ledger, lambda _: known)

    assert read_known_accounts(ledger) == known
    assert ledger.read(path) == content


def test_changed_settings_are_listed_with_both_values() -> None:
    known = KnownAccounts.of([account()])

    assert known.changes(account()) == []
    assert known.changes(account(user_id=77)) == []
    assert known.changes(account(name="A" * 100, destination={"type": "sumo_logic", "conn_id": "acme_sumo"})) == [
        'destination.bucket: "acme-audit" became null',
        'destination.conn_id: "acme_s3" became "acme_sumo"',
        "destination.fields: null became {}",
        'destination.prefix: "" became null',
        'destination.type: "s3" became "sumo_logic"',
        'destination.write_mode: "create_only" became null',
        f'name: "Acme" became "{"A" * 96}...',
    ]


@pytest.mark.promise("strict-decoding")
@pytest.mark.parametrize("path", ["_control/accounts", "_control/accounts/r000001.json/x", "_control/accounts.json/x"])
def test_known_accounts_that_cannot_be_read_or_written_stop_no_run(
    tmp_path: Path, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A folder in the place of a file, or a file in that of a folder."""
    ledger = local_storage(tmp_path)
    ledger.write(path, b"")

    update_known_accounts(ledger, lambda _: KnownAccounts({"1": EMPTY}))

    assert read_known_accounts(ledger) == KnownAccounts()
    assert "_control/accounts" in caplog.text
