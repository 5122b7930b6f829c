"""Records that are finished and in no window: counted once a plan, noted in receipts, reported, red beyond the
threshold.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.unit.samples import DAY, HOUR, RUN, MemoryDestination, MemorySource, account, record

from job_history.accounts.account import Account
from job_history.accounts.variable import Accounts
from job_history.errors import PermanentError, TransientError
from job_history.ledger.receipt import Receipt
from job_history.model.unplaceable import Unplaceable
from job_history.model.window import Window
from job_history.pipeline.complete_windows import complete_windows
from job_history.pipeline.plan import plan
from job_history.pipeline.report import report
from job_history.pipeline.results import Plan
from job_history.pipeline.run_files import RunFiles
from job_history.pipeline.run_slice import SliceTools, run_slice
from job_history.pipeline.time_of_plan import UNPLACEABLE_SECONDS
from job_history.storage import Storage, local_storage

TWO_HOURS = Window(DAY, DAY + timedelta(hours=2))
READ_AT = "2018-05-21T02:10:00.000000Z"
THREE = Unplaceable(3, example_id="17", example_form="unix number")
MANY = Unplaceable.of_first(1_001, "17", "missing")


@dataclass
class LossySource(MemorySource):
    """Has records whose time it cannot read, by account."""

    unreadable: dict[int, Unplaceable] = field(default_factory=dict)
    asked_for_unplaceable: list[int] = field(default_factory=list)
    error: Exception | None = None

    def unplaceable(self, user_id: int) -> Unplaceable:
        self.asked_for_unplaceable.append(user_id)
        if self.error is not None:
            raise self.error
        return self.unreadable.get(user_id, Unplaceable())


@dataclass
class World:
    folder: Path

    @property
    def staging(self) -> Storage:
        return local_storage(self.folder / "staging")

    @property
    def ledger(self) -> Storage:
        return local_storage(self.folder / "ledger")

    def plan(self, source: LossySource, *accounts: Account, **changes: Any) -> Plan:
        arguments: dict[str, Any] = {
            "run": RUN,
            "window": TWO_HOURS,
            "accounts": Accounts({each.user_id: each for each in accounts}),
            "chosen": [],
            "destination": "s3",
            "source_of": lambda _account, _kind: source,
            "max_jobs_per_slice": 100,
            "planned_at": READ_AT,
        }
        return plan(**{**arguments, **changes})

    def run(self, source: LossySource, *accounts: Account, threshold: int = 10, **changes: Any) -> list[Receipt]:
        files, made = RunFiles(self.staging, RUN), self.plan(source, *accounts, **changes)
        files.save_plan(made)
        for slice_ in made.slices:
            one = next(each for each in accounts if each.user_id == slice_.user_id)
            tools = SliceTools(self.staging, self.ledger, 40_000_000)
            files.save_outcome(slice_, run_slice(slice_, one, source, MemoryDestination(), tools))
        return report(
            run=RUN,
            destinations=["s3"],
            staging=self.staging,
            ledger=self.ledger,
            finished_at=datetime(2018, 5, 21, 2, 15, tzinfo=UTC),
            code_version="1",
            quarantine_threshold=threshold,
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.promise("unplaceable-records")
def test_an_account_without_countable_jobs_is_complete_with_quarantine_and_named(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    receipts = world.run(LossySource(unreadable={5234: THREE}), account(), account(77, "Other"))

    assert [(each.user_id, each.state, each.unplaceable) for each in receipts] == [
        (5234, "complete_with_quarantine", THREE),
        (5234, "complete_with_quarantine", THREE),
        (77, "complete", None),
        (77, "complete", None),
    ]
    assert {sum(each.counts.quarantined.values()) for each in receipts} == {0}
    [message] = [each for each in caplog.messages if "in no window" in each]
    assert message.startswith("Account 5234 Acme: jobs that are finished and in no window, because")
    assert ": 3 (for example id 17: unix number). " in message


def test_an_account_is_asked_once_a_plan_whatever_its_number_of_windows(world: World) -> None:
    source = LossySource([record()])
    world.plan(source, account(), account(77, "Other"), account(78, "Paused", enabled=False))
    assert sorted(source.asked_for_unplaceable) == [77, 5234]


@pytest.mark.promise("unplaceable-records")
@pytest.mark.parametrize(
    ("listed", "found", "threshold", "is_red"),
    [
        (0, Unplaceable(9, example_id="1", example_form="missing"), 10, False),
        (0, Unplaceable(10, example_id="1", example_form="missing"), 10, True),
        (90, Unplaceable(10, example_id="1", example_form="missing"), 10, False),
        (80, Unplaceable(10, example_id="1", example_form="missing"), 10, True),
        (0, Unplaceable(1, example_id="1", example_form="missing"), 0, True),
        (0, MANY, 100, False),
        (0, MANY, 99, True),
        (9_500, MANY, 10, True),  # how many more than 1,000 is not known
    ],
)
def test_the_run_fails_beyond_the_quarantine_threshold_of_the_accounts_jobs(
    world: World, listed: int, found: Unplaceable, threshold: int, is_red: bool
) -> None:
    source = LossySource([record(job_id=number) for number in range(listed)], unreadable={5234: found})
    if not is_red:
        assert len(world.run(source, account(), threshold=threshold)) == 2
        return
    with pytest.raises(PermanentError, match=f"quarantine_threshold allows \\({threshold} percent\\)") as failed:
        world.run(source, account(), threshold=threshold)
    assert ("over 1,000" in str(failed.value)) is found.over_limit


@pytest.mark.promise("unplaceable-records")
def test_missing_only_does_not_run_a_window_again_for_unplaceable_records_alone(world: World) -> None:
    source = LossySource([record(), record(job_id=2, completed_at="2018-05-21T01:10:00Z", report="{")])
    source.unreadable = {5234: THREE}
    world.run(source, account(), threshold=100)

    again = world.plan(source, account(), skip=complete_windows(world.ledger, lambda _: None))

    # The second hour has a record in quarantine; it may have been fixed.
    assert [planned.window.start.hour for planned in again.windows] == [1]
    assert again.skipped == {"complete_with_quarantine": 1}


def test_a_source_that_cannot_count_them_is_reported_and_stops_no_window(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    receipts = world.run(LossySource([record()], error=TransientError("the statement took over 30 s")), account())
    assert [(each.state, each.counts.delivered) for each in receipts] == [("complete", 1), ("complete", 0)]
    assert [each for each in caplog.messages if each.endswith("could not be counted: the statement took over 30 s")]


def test_a_source_that_could_not_be_counted_is_not_asked(world: World) -> None:
    source = LossySource(fault=TransientError("no connection in time"), unreadable={5234: THREE})
    made = world.plan(source, account())
    assert (source.asked_for_unplaceable, made.unchecked, len(made.slices)) == ([], [], 2)


def test_counting_them_does_not_use_up_the_time_of_the_plan(world: World) -> None:
    source = LossySource(unreadable=dict.fromkeys(range(1, 6), THREE))
    accounts = [account(number) for number in range(1, 6)]
    made = world.plan(source, *accounts, clock=lambda: len(source.asked_for_unplaceable) * UNPLACEABLE_SECONDS * 0.6)
    asked = source.asked_for_unplaceable
    assert len(asked) == 2
    (message,) = made.unchecked
    left = ", ".join(str(number) for number in range(1, 6) if number not in asked)
    assert message.startswith("3 accounts: ")
    assert message.endswith(f": {left}")


@pytest.mark.promise("fair-time-limits")
def test_within_a_day_its_time_limit_leaves_no_account_out(world: World) -> None:
    """There is time for three of twelve."""
    accounts, asked = [account(number) for number in range(1, 13)], set()
    for hour in Window(DAY, DAY + timedelta(hours=24)).hours():
        source = LossySource(unreadable=dict.fromkeys(range(1, 13), THREE))
        world.plan(
            source,
            *accounts,
            window=hour,
            clock=lambda: len(source.asked_for_unplaceable) * UNPLACEABLE_SECONDS * 0.4,  # noqa: B023
        )
        assert len(source.asked_for_unplaceable) == 3
        asked |= set(source.asked_for_unplaceable)
    assert asked == set(range(1, 13))


@dataclass
class BatchSource(LossySource):
    batches: list[list[int]] = field(default_factory=list)
    batch_error: Exception | None = None
    answered: int = 0

    def unplaceables(self, user_ids: list[int]) -> Generator[Unplaceable]:
        self.batches.append(user_ids)
        for user_id in user_ids:
            if self.batch_error is not None:
                raise self.batch_error
            self.answered += 1
            yield self.unreadable.get(user_id, Unplaceable())


@pytest.mark.parametrize("error", [None, TransientError("the statement took over 30 s")])
def test_accounts_that_share_a_source_are_asked_over_one_connection(world: World, error: Exception | None) -> None:
    source = BatchSource(unreadable={77: THREE}, batch_error=error)
    elsewhere = account(78, "Elsewhere", source={"type": "sql", "conn_id": "another"})

    made = world.plan(source, account(), account(77, "Other"), elsewhere)

    assert [sorted(batch) for batch in source.batches] == [[77, 5234]]
    assert sorted(source.asked_for_unplaceable) == ([77, 78, 5234] if error else [78])
    assert {planned.user_id for planned in made.windows if planned.unplaceable == THREE} == {77}


def test_a_batch_of_slow_accounts_does_not_use_up_the_time_of_the_plan(world: World) -> None:
    """Each takes nearly as long as one may: a hundred of them are longer than a plan has."""
    accounts = [account(number) for number in range(1, 101)]
    source = BatchSource(unreadable=dict.fromkeys(range(1, 101), THREE))

    made = world.plan(source, *accounts, clock=lambda: source.answered * 29.0)

    known = {planned.user_id for planned in made.windows if planned.unplaceable}
    assert 0 < len(known) < 15
    assert [message.partition(":")[0] for message in made.unchecked] == [f"{100 - len(known)} accounts"]


@dataclass
class _Noting:
    listing: Any
    unplaceable: Unplaceable | None

    @property
    def counted(self) -> int:
        return int(self.listing.counted)

    counted_by = "query"

    def __iter__(self) -> Any:
        return iter(self.listing)


def test_what_a_listing_meets_is_noted_in_its_windows_receipt(world: World) -> None:
    class Noting(LossySource):
        def listing(self, user_id: int, window: Window, *, line_details: bool) -> Any:
            from contextlib import contextmanager

            @contextmanager
            def opened() -> Any:
                with MemorySource.listing(self, user_id, window, line_details=line_details) as listing:
                    yield _Noting(listing, THREE)

            return opened()

    receipts = world.run(Noting([record()]), account())
    assert [(each.window, each.state, each.unplaceable) for each in receipts] == [
        (HOUR, "complete_with_quarantine", THREE),
        (Window(HOUR.end, TWO_HOURS.end), "complete", None),
    ]
