"""The accounts as the run before saw them."""

from pathlib import Path

from tests.unit.samples import account

from job_history.ledger.known_accounts import KnownAccounts, read_known_accounts, save_known_accounts
from job_history.storage import local_storage


def test_what_was_saved_is_read_and_nothing_is_known_before(tmp_path: Path) -> None:
    ledger, known = local_storage(tmp_path), KnownAccounts.of([account(), account(user_id=77)])

    assert read_known_accounts(ledger) == KnownAccounts()
    save_known_accounts(ledger, known)

    assert read_known_accounts(ledger) == known
    assert known.differing([account(), account(user_id=77, name="New"), account(user_id=78)]) == {
        "77": account(user_id=77, name="New").model_dump(mode="json"),
        "78": account(user_id=78).model_dump(mode="json"),
    }


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
