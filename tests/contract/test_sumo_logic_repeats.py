"""What was sent to an HTTP source more than once is in a receipt, whichever run sent it and however that run ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from tests.support.oracle import expected_documents
from tests.support.places import in_the_main_thread
from tests.support.runs import Run
from tests.support.scripted_s3 import scripted_s3
from tests.support.world import BUCKET, World, accounts_of

from job_history.errors import PermanentError
from job_history.ledger.acknowledgements import window_folder
from job_history.ledger.items import items_at
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_store import read_receipt
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from simulators.job_store import SampleJob, plain_job
from simulators.sumo_logic import LocalSource, local_source

USER, OTHER_USER = 6001, 6002
START = datetime(2018, 5, 21, tzinfo=UTC)
HOUR = Window(START, START + timedelta(hours=1))
JOBS = 12
# Three jobs make a request.
OUTPUT = f'{{"text":"{"x" * 300_000}"}}'


def job(user_id: int, number: int) -> SampleJob:
    small = plain_job(user_id, START, user_id * 100 + number)
    return small._replace(lines=(small.lines[0], small.lines[1]._replace(output=OUTPUT)))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with scripted_s3(BUCKET) as s3, local_source() as source:
        world = World(tmp_path, accounts_of([], [USER]), s3, source)
        world.add(job(USER, number) for number in range(JOBS))
        yield world


def copies(source: LocalSource) -> Counter[str]:
    """How often each document was sent: the largest number of equal messages of it."""
    found: Counter[str] = Counter()
    for text, number in Counter(each.text for each in source.messages()).items():
        key = msgspec.json.decode(text)["replication"]["delivery_id"]
        found[key] = max(found[key], number)
    return found


def everything(world: World) -> set[str]:
    return set(expected_documents(world.jobs))


def sent_twice(source: LocalSource) -> set[str]:
    return {key for key, number in copies(source).items() if number > 1}


def receipt_of(world: World, user_id: int = USER) -> Receipt:
    receipt = read_receipt(world.ledger, user_id, EventKind.JOBS, HOUR)
    assert receipt is not None
    return receipt


def counted_as_repeated(world: World) -> set[str | None]:
    items = [item for path in receipt_of(world).listed_items for item in items_at(world.ledger, path)]
    return {item.key for item in items if item.detail == "repeated"}


def repair_fails_half_way(world: World) -> None:
    """The source refuses the third request."""
    world.sumo_logic.script([200, 200, 401])
    with pytest.raises(PermanentError):
        world.runs().do(Run("repair", HOUR, mode="repair"))
    world.sumo_logic.recover()


@pytest.mark.promise("acknowledgements")
def test_repeats_of_a_repair_that_failed_are_in_the_entry_of_its_run(world: World) -> None:
    world.runs().do(Run("hourly", HOUR))
    repair_fails_half_way(world)

    twice = sent_twice(world.sumo_logic)
    assert 0 < len(twice) < JOBS
    entry = receipt_of(world).runs[-1]
    assert (entry.run, entry.counts.repeated) == ("repair", len(twice))
    assert receipt_of(world).state.closed


@pytest.mark.promise("acknowledgements")
def test_repeats_of_a_repair_that_failed_are_counted_after_old_acknowledgements_are_deleted(world: World) -> None:
    world.runs().do(Run("hourly", HOUR))
    world.ledger.delete_all(list(world.ledger.paths(window_folder(USER, EventKind.JOBS, HOUR))))
    repair_fails_half_way(world)
    counted = receipt_of(world).runs[-1].counts.repeated
    assert counted in {len(sent_twice(world.sumo_logic)), len(sent_twice(world.sumo_logic)) - 1}  # one was sent in part
    world.add([job(USER, JOBS)])

    world.runs().do(Run("good", HOUR, mode="reconciliation"))

    assert len(counted_as_repeated(world)) == counted > 0


@pytest.mark.promise("acknowledgements")
@pytest.mark.parametrize("mode", ["reconciliation", "repair"])
def test_a_good_run_counts_the_repeats_of_a_repair_that_failed(world: World, mode: str) -> None:
    world.runs().do(Run("hourly", HOUR))
    repair_fails_half_way(world)
    world.add([job(USER, JOBS)])

    world.runs().do(Run("good", HOUR, mode=mode))

    assert sent_twice(world.sumo_logic) <= counted_as_repeated(world)
    receipt = receipt_of(world)
    assert receipt.counts.repeated == len(counted_as_repeated(world))
    if mode == "reconciliation":
        assert sent_twice(world.sumo_logic) == counted_as_repeated(world)


@pytest.mark.promise("acknowledgements")
def test_the_same_run_of_a_repair_sends_only_what_it_lacks_when_it_is_cleared(world: World) -> None:
    world.runs().do(Run("hourly", HOUR))
    run = Run("repair", HOUR, mode="repair")
    world.sumo_logic.script([200, 200, 401])
    with pytest.raises(PermanentError):
        world.runs().do(run)
    world.sumo_logic.recover()

    world.runs().clear(run, "load")

    # One was sent in part before the failure, and again whole.
    assert Counter(copies(world.sumo_logic).values()) == {2: JOBS - 1, 3: 1}
    assert receipt_of(world).runs[-1].counts.repeated == JOBS


@pytest.mark.promise("acknowledgements", "strict-decoding")
def test_a_damaged_acknowledgement_is_named_and_stops_its_own_account_only(world: World) -> None:
    world.accounts = accounts_of([], [USER, OTHER_USER])
    world.add(job(OTHER_USER, number) for number in range(2))
    world.sumo_logic.script([200, 401, 401])
    with pytest.raises(PermanentError):
        world.runs().do(Run("first", HOUR))
    world.sumo_logic.recover()
    folder = window_folder(USER, EventKind.JOBS, HOUR)
    [damaged, *_] = [path for path in world.ledger.paths(folder) if path.endswith(".json")]
    content = world.ledger.read(damaged) or b""
    world.ledger.write(damaged, content[: len(content) // 2])

    with pytest.raises(PermanentError, match=f"failed in 1 places(.|\\n)*{damaged}"):
        world.runs().do(Run("second", HOUR))

    assert world.open_windows([HOUR]) == [(USER, HOUR)]
    world.ledger.write(damaged, content)
    world.runs().do(Run("third", HOUR))
    assert world.open_windows([HOUR]) == []
    assert len(sent_twice(world.sumo_logic)) <= 1  # one that was sent in part, and again whole
    assert sent_twice(world.sumo_logic) <= counted_as_repeated(world)


@pytest.mark.promise("acknowledgements")
def test_an_account_that_goes_to_another_source_and_back_loses_nothing_and_counts_repeats(world: World) -> None:
    first = world.sumo_logic
    first.script([200, 200, 401])
    with pytest.raises(PermanentError):
        world.runs().do(Run("at the first", HOUR))
    first.recover()
    sent_to_first = set(copies(first))
    with local_source() as second:
        world.sumo_logic = second
        world.runs().do(Run("at the second", HOUR))
        assert copies(second) == Counter(dict.fromkeys(everything(world), 1))
    world.sumo_logic = first
    world.add([job(USER, JOBS)])

    world.runs().do(Run("back", HOUR, mode="reconciliation"))

    assert sent_to_first < set(copies(first)) == everything(world)
    assert len(sent_twice(first)) <= 1  # one that was sent in part, and again whole
    assert sent_twice(first) <= counted_as_repeated(world)


@pytest.mark.promise("acknowledgements", "two-runs-at-once")
@pytest.mark.parametrize("place", ["after list", "before load", "before post", "after post", "before close"])
def test_repeats_of_an_hourly_run_beside_the_reconciliation_are_counted(world: World, place: str) -> None:
    """The reconciliation begins and ends while the hourly run of the same window is at this place."""
    seen: list[str] = []

    def passes(where: str) -> None:
        if where == place and where not in seen:
            seen.append(where)
            world.runs().do(Run("reconciliation", HOUR, mode="reconciliation"))

    world.runs(passes=in_the_main_thread(passes)).do(Run("hourly", HOUR))

    assert seen == [place]
    assert set(copies(world.sumo_logic)) == everything(world)
    counted = {entry.run: entry.counts.repeated for entry in receipt_of(world).runs}
    assert counted.keys() == {"hourly", "reconciliation"}
    assert len(sent_twice(world.sumo_logic)) <= sum(counted.values())
    if place in {"before load", "after list", "before close"}:
        assert not sent_twice(world.sumo_logic)
