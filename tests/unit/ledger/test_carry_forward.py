"""Carry forward: what a new reading of a window lacks is named by its receipt all the same."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from tests.unit.samples import HOUR

from job_history.errors import PermanentError
from job_history.ledger.carry_forward import Carried, carry_forward
from job_history.ledger.item import EARLIER_SETTINGS, Item
from job_history.ledger.items import ListHeader, item_list, item_writer, items_at
from job_history.ledger.outcome import Outcome
from job_history.ledger.receipt_files import window_folder
from job_history.model.event_kind import EventKind
from job_history.storage import Storage, local_storage

FOLDER = window_folder(5234, EventKind.JOBS, HOUR)
HERE = {"type": "s3", "bucket": "acme-audit", "host": "minio.example:9000", "write_mode": "create_only"}
AWAY = {**HERE, "host": "other.example:9000"}
GONE = f"{FOLDER}/items-gone.parquet"


@pytest.fixture
def ledger(tmp_path: Path) -> Storage:
    return local_storage(tmp_path)


def header(destination: dict[str, Any]) -> ListHeader:
    return ListHeader(5234, EventKind.JOBS, HOUR, destination)


def item(number: int, outcome: str = Outcome.DELIVERED, **fields: Any) -> Item:
    about = {"key": f"5234/jobs/1/{number}.json", "sha256": f"{number:064x}", "bytes": number, "e_tag": f'"{number}"'}
    return Item(str(number), "2018-05-21T00:00:10Z", outcome, **{**about, **fields})


def written(ledger: Storage, name: str, items: Iterable[Item], destination: dict[str, Any] | None = None) -> str:
    path = f"{FOLDER}/items-{name}.parquet"
    with item_writer(ledger, path, header(destination or HERE)) as writer:
        for each in items:
            writer.append(each)
    return path


def carried(ledger: Storage, earlier: list[str], new: list[str], **options: Any) -> Carried:
    return carry_forward(ledger, earlier, new, header(HERE), GONE, **options)


@pytest.mark.promise("receipts-never-forget")
def test_documents_that_the_source_forgot_are_carried_as_gone(ledger: Storage) -> None:
    earlier = written(ledger, "earlier", map(item, range(50)))
    new = written(ledger, "new", [item(number, Outcome.ALREADY_PRESENT) for number in range(10, 51)])
    assert carried(ledger, [earlier], [new]) == Carried(GONE, 10, [])
    assert list(items_at(ledger, GONE)) == [item(number, Outcome.GONE) for number in range(10)]
    assert all(each.must_be_there and not each.is_delivered for each in items_at(ledger, GONE))


def test_the_list_of_gone_items_has_the_header_of_the_window(ledger: Storage) -> None:
    carried(ledger, [written(ledger, "earlier", [item(1)])], [])
    assert item_list(ledger, GONE).metadata == header(HERE).metadata()


def test_gone_items_are_carried_again_until_they_are_listed_again(ledger: Storage) -> None:
    earlier = [written(ledger, "earlier", [item(1)]), written(ledger, "lost", [item(2, Outcome.GONE)])]
    assert carried(ledger, earlier, [written(ledger, "new", [item(1)])]).count == 1
    assert list(items_at(ledger, GONE)) == [item(2, Outcome.GONE)]
    assert carried(ledger, earlier, [written(ledger, "both", [item(1), item(2)])]) == Carried(None, 0, [])


def test_nothing_is_written_if_nothing_is_gone(ledger: Storage) -> None:
    earlier, new = written(ledger, "earlier", [item(1)]), written(ledger, "new", [item(1), item(2)])
    assert carried(ledger, [earlier], [new]) == carried(ledger, [], [new]) == Carried(None, 0, [])
    assert ledger.read(GONE) is None


def test_a_list_that_the_new_receipt_names_too_is_not_carried(ledger: Storage) -> None:
    both = written(ledger, "both", [item(1)])
    assert carried(ledger, [both], [both]) == Carried(None, 0, [])


def test_a_document_in_conflict_with_the_new_reading_is_carried(ledger: Storage) -> None:
    earlier = written(ledger, "earlier", [item(1)])
    new = written(ledger, "new", [item(1, Outcome.QUARANTINED, detail="conflict", sha256="ff" * 32, e_tag=None)])
    assert carried(ledger, [earlier], [new]).count == 1
    assert [each.sha256 for each in items_at(ledger, GONE)] == [item(1).sha256]


def test_only_what_was_delivered_is_carried(ledger: Storage) -> None:
    others = [
        Item("1", None, Outcome.FILTERED, "aborted"),
        Item("2", None, Outcome.QUARANTINED, "bad_time"),
        item(3, Outcome.QUARANTINED, detail="conflict"),
    ]
    assert carried(ledger, [written(ledger, "earlier", others)], []) == Carried(None, 0, [])


@pytest.mark.promise("receipts-never-forget")
def test_an_account_that_moves_away_and_back_forgets_nothing(ledger: Storage) -> None:
    first = written(ledger, "first", [item(1), item(2)], AWAY)
    second = written(ledger, "second", [item(1)], HERE)
    moved = carried(ledger, [first], [second])
    assert moved == Carried(None, 0, [first])
    third = written(ledger, "third", [item(2)], AWAY)
    back = carry_forward(ledger, [second, *moved.elsewhere], [third], header(AWAY), GONE)
    assert back == Carried(GONE, 1, [second])
    assert [each.key for each in items_at(ledger, GONE)] == [item(1).key]


def test_the_newest_list_of_a_key_counts(ledger: Storage) -> None:
    older = written(ledger, "older", [item(1, sha256="aa" * 32), item(2)])
    newer = written(ledger, "newer", [item(1, sha256="bb" * 32)])
    assert carried(ledger, [newer, older], []).count == 2
    assert {each.key: each.sha256 for each in items_at(ledger, GONE)}[item(1).key] == "bb" * 32


@pytest.mark.parametrize(
    ("detail", "settings_changed", "expected"),
    [
        (None, False, None),
        ("oversize", False, None),
        (None, True, EARLIER_SETTINGS),
        (EARLIER_SETTINGS, False, EARLIER_SETTINGS),
    ],
)
def test_gone_documents_of_earlier_settings_are_known_as_such(
    ledger: Storage, detail: str | None, settings_changed: bool, expected: str | None
) -> None:
    carried(ledger, [written(ledger, "earlier", [item(1, detail=detail)])], [], settings_changed=settings_changed)
    assert [each.detail for each in items_at(ledger, GONE)] == [expected]


@pytest.mark.parametrize("content", [None, b"", b"PAR1 not parquet PAR1"])
def test_a_list_that_cannot_be_read_is_an_error_that_names_it(ledger: Storage, content: bytes | None) -> None:
    if content is not None:
        ledger.write(f"{FOLDER}/items-lost.parquet", content)
    with pytest.raises(PermanentError, match=r"receipts/.*/items-lost\.parquet"):
        carried(ledger, [f"{FOLDER}/items-lost.parquet"], [])
    assert ledger.read(GONE) is None
