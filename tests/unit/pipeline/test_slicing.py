"""Slicing: windows are counted at their source, and cut into slices; no source stops another."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

import pytest
from tests.support.planned import SUMO_LOGIC, THREE_HOURS, half_hours, jobs, planned_run, planned_window, slices_of
from tests.unit.samples import DAY, HOUR, RUN, MemorySource, account

from job_history.accounts.account import Account
from job_history.errors import PermanentError, TransientError
from job_history.ledger.known_accounts import KnownAccounts
from job_history.model.event_kind import EventKind
from job_history.model.job import JobRecord
from job_history.model.window import Window
from job_history.pipeline.results import Plan
from job_history.pipeline.time_of_plan import TimeOfPlan
from job_history.sources import Cost, Listing, Source
from job_history.sources.count_batch import count_batch

# Which slices


def test_an_account_with_jobs_gets_a_slice_and_one_without_gets_none() -> None:
    busy, idle = account(), account(77, "Idle")
    made = planned_run({5234: jobs(1, 2, 3), 77: jobs()}, [busy, idle])
    assert made == Plan(
        run=RUN,
        destination="s3",
        window=HOUR,
        windows=[planned_window(busy, 3, slices_of(busy, HOUR)), planned_window(idle, 0, [])],
        faults=[],
        considered=[5234, 77],
        planned=[5234, 77],
        active=[(5234, EventKind.JOBS), (77, EventKind.JOBS)],
        settings=KnownAccounts.of([busy, idle]).settings,
        whole_list=True,
    )
    assert made.slices == slices_of(busy, HOUR)


@dataclass
class TogetherSource:
    """Holds numbers of jobs by account, and can give many at once; alone, it counts what is in a window of any
    length.
    """

    jobs: dict[int, int]
    fault: Exception | None = None
    asked_together: list[tuple[list[int], Window]] = field(default_factory=list)
    asked_alone: list[int] = field(default_factory=list)

    def count(self, user_id: int, window: Window) -> int:  # noqa: ARG002 - the same in each
        self.asked_alone.append(user_id)
        return self.jobs[user_id]

    def counts(self, user_ids: Sequence[int], window: Window) -> list[int]:
        self.asked_together.append((list(user_ids), window))
        if self.fault is not None:
            raise self.fault
        return [self.jobs[user_id] for user_id in user_ids]

    def listing(
        self, user_id: int, window: Window, *, line_details: bool
    ) -> AbstractContextManager[Listing[JobRecord]]:
        raise NotImplementedError


@pytest.mark.promise("count-together")
def test_a_batch_count_gives_the_same_slices_as_single_counts() -> None:
    three = [account(user_id=user_id) for user_id in (1, 2, 3)]
    elsewhere = account(user_id=4, source={"type": "sql", "conn_id": "another"})
    paused = account(user_id=5, enabled=False)
    source, other = TogetherSource({1: 7, 2: 0, 3: 1}), TogetherSource({4: 2})
    sources: dict[int, Source[JobRecord]] = {1: source, 2: source, 3: source, 4: other, 5: source}

    together = planned_run(sources, [*three, elsewhere, paused], window=THREE_HOURS)

    assert [(sorted(ids), hour) for ids, hour in source.asked_together] == [
        ([1, 2, 3], hour) for hour in THREE_HOURS.hours()
    ]
    assert (source.asked_alone, other.asked_together, other.asked_alone) == ([], [], [4, 4, 4])
    alone = [planned_run(sources, [each], window=THREE_HOURS).windows for each in [*three, elsewhere, paused]]
    assert together.windows == [window for windows in alone for window in windows]
    assert [window.counted for window in together.windows] == [7] * 3 + [0] * 3 + [1] * 3 + [2] * 3 + [None] * 3


def test_if_a_batch_count_fails_each_account_is_counted_alone() -> None:
    source = TogetherSource({1: 7, 2: 0}, fault=TransientError("The statement was too large."))
    two = [account(user_id=user_id) for user_id in (1, 2)]

    made = planned_run({1: source, 2: source}, two)

    assert [(window.counted, len(window.slices)) for window in made.windows] == [(7, 1), (0, 0)]
    assert (len(source.asked_together), sorted(source.asked_alone)) == (1, [1, 2])


@dataclass
class SlowSource(TogetherSource):
    """Takes 13 ms to count an account, and is ended after two minutes; accounts of `damaged` cannot be counted."""

    damaged: tuple[int, ...] = ()

    def counts(self, user_ids: Sequence[int], window: Window) -> list[int]:
        self.fault = TransientError("ended") if 0.013 * len(user_ids) > 120 or {*user_ids} & {*self.damaged} else None
        return super().counts(user_ids, window)


@pytest.mark.promise("count-together")
@pytest.mark.parametrize("damaged", [(), (4_321,)])
def test_a_store_with_ten_thousand_accounts_is_asked_for_some_of_them_at_a_time(damaged: tuple[int, ...]) -> None:
    source = SlowSource(dict.fromkeys(range(1, 10_001), 0), damaged=damaged)

    counted = count_batch(
        [(account(number), EventKind.JOBS, HOUR) for number in source.jobs], lambda _account, _kind: source
    )

    assert [number for ids, _ in source.asked_together for number in ids] == [*source.jobs]
    failed = next((ids for ids, _ in source.asked_together if {*ids} & {*damaged}), [])
    assert [number for number, _, _ in counted] == [number for number in source.jobs if number not in failed]
    assert len(failed) <= 500


def test_a_source_that_is_away_is_not_asked_for_each_part_of_its_accounts() -> None:
    source = TogetherSource({}, fault=TransientError("no connection in time"))
    many = [(account(number), EventKind.JOBS, HOUR) for number in range(1, 5_001)]

    assert count_batch(many, lambda _account, _kind: source) == {}
    assert len(source.asked_together) == 2


def test_what_was_counted_until_the_time_is_over_is_kept() -> None:
    source = TogetherSource(dict.fromkeys(range(1, 2_001), 1))
    many = [(account(number), EventKind.JOBS, HOUR) for number in source.jobs]

    counted = count_batch(many, lambda _account, _kind: source, is_over=lambda: len(source.asked_together) == 2)

    assert len(counted) == 1_000


def test_a_window_with_many_jobs_is_cut() -> None:
    made = planned_run({5234: jobs(1, 2, 31, 32)}, [account()], max_jobs_per_slice=2)
    assert made.windows == [planned_window(account(), 4, slices_of(account(), *half_hours(HOUR)))]


def test_a_long_window_is_planned_hour_by_hour() -> None:
    made = planned_run({5234: jobs(1, 119, 120)}, [account()], window=THREE_HOURS)
    assert made.windows == [
        planned_window(account(), 1, slices_of(account(), hour, window=hour), hour) for hour in THREE_HOURS.hours()
    ]


def test_each_hour_has_a_window_for_each_kind_of_event_that_is_switched_on() -> None:
    both = account(events={"job_history": True, "admin_events": True})
    alone = account(77, "Alone", events={"admin_events": True})
    sources = {EventKind.JOBS: jobs(1, 2), EventKind.ADMIN_EVENTS: jobs(61)}
    made = planned_run(
        {}, [both, alone], window=Window(DAY, DAY + timedelta(hours=2)), source_of=lambda _, kind: sources[kind]
    )
    assert [(planned.label, planned.window.start_text, planned.counted) for planned in made.windows] == [
        ("5234 Acme", "2018-05-21T00:00:00Z", 2),
        ("5234 Acme (admin events)", "2018-05-21T00:00:00Z", 0),
        ("5234 Acme", "2018-05-21T01:00:00Z", 0),
        ("5234 Acme (admin events)", "2018-05-21T01:00:00Z", 1),
        ("77 Alone (admin events)", "2018-05-21T00:00:00Z", 0),
        ("77 Alone (admin events)", "2018-05-21T01:00:00Z", 1),
    ]
    assert [(slice_.label, slice_.kind) for slice_ in made.slices] == [
        ("5234 Acme 2018-05-21T00:00:00Z", "jobs"),
        ("5234 Acme (admin events) 2018-05-21T01:00:00Z", "admin_events"),
        ("77 Alone (admin events) 2018-05-21T01:00:00Z", "admin_events"),
    ]


def test_a_paused_account_is_in_the_plan_and_its_source_is_not_asked() -> None:
    paused, source = account(enabled=False), jobs(1)
    assert planned_run({5234: source}, [paused]).windows == [planned_window(paused, None, [])]
    assert source.asked == []


def unreachable(fault: Exception) -> Callable[[Account, EventKind], Source[JobRecord]]:
    def source_of(account: Account, _: EventKind) -> Source[JobRecord]:
        if account.user_id == 77:
            raise fault
        return jobs(1)

    return source_of


@pytest.mark.parametrize(
    "fault", [PermanentError("no connection 'db'"), TransientError("the database is away"), ValueError("bogus cursor")]
)
def test_an_account_whose_source_cannot_be_counted_gets_a_slice_and_the_others_go_on(fault: Exception) -> None:
    well, ill = account(), account(77, "Ill")
    expected = [
        planned_window(ill, None, slices_of(ill, HOUR)),
        planned_window(well, 1, slices_of(well, HOUR)),
    ]
    counting = planned_run({77: MemorySource(fault=fault), 5234: jobs(1)}, [ill, well])  # type: ignore[arg-type]
    connecting = planned_run({}, [ill, well], source_of=unreachable(fault))
    assert [counting.windows, connecting.windows] == [expected, expected]


@dataclass
class CostlySource(TogetherSource):
    """Can count only by reading, and knows what that costs."""

    counts_by: str = "counters"
    cost_error: Exception | None = None

    def has_news(self, user_id: int, window: Window) -> bool:  # noqa: ARG002 - the same in each
        return self.jobs[user_id] > 0

    def cost(self, user_id: int, window: Window) -> Cost:  # noqa: ARG002 - the same in each
        if self.cost_error is not None:
            raise self.cost_error
        return Cost(requests=self.jobs[user_id], seconds=90)


@pytest.mark.promise("plan-cost")
@pytest.mark.parametrize("error", [None, TransientError("away")])
def test_the_plan_logs_what_reading_will_cost(caplog: pytest.LogCaptureFixture, error: Exception | None) -> None:
    caplog.set_level("INFO")
    source = CostlySource({1: 1_200, 2: 300, 3: 0}, cost_error=error)

    made = planned_run(dict.fromkeys((1, 2, 3), source), [account(user_id=user_id) for user_id in (1, 2, 3)])

    costs = [message for message in caplog.messages if message.startswith("Reading takes about")]
    assert [len(window.slices) for window in made.windows] == [1, 1, 0]
    assert costs == (
        [] if error else ["Reading takes about 1,500 requests to the sources, 3.0 minutes at their rate limits."]
    )


def test_after_ten_minutes_of_failed_counts_windows_are_planned_uncounted(caplog: pytest.LogCaptureFixture) -> None:
    away = MemorySource(fault=TransientError("no connection in time"))
    many = [account(user_id=user_id) for user_id in range(1, 11)]

    made = planned_run(
        dict.fromkeys(range(1, 11), away),  # type: ignore[arg-type]
        many,
        clock=lambda: 130.0 * len(away.asked),
    )

    asked = [user_id for user_id, _ in away.asked]
    assert len(asked) == 5
    assert made.windows == [planned_window(each, None, slices_of(each, HOUR)) for each in many]
    left = ", ".join(str(user_id) for user_id in range(1, 11) if user_id not in asked)
    assert [message for message in caplog.messages if f"not counted, and their extract tasks do it: {left}." in message]


@pytest.mark.promise("fair-time-limits")
def test_within_a_day_the_time_limit_of_counting_leaves_no_account_out(caplog: pytest.LogCaptureFixture) -> None:
    """Sources answer, each after 100 seconds: the plan of an hour has time for nine of forty accounts."""
    times: Counter[int] = Counter()
    many = [account(user_id=user_id) for user_id in range(1, 41)]
    for hour in Window(DAY, DAY + timedelta(hours=24)).hours():
        source = jobs(*range(0, 24 * 60, 60))
        planned_run(
            dict.fromkeys(range(1, 41), source),  # type: ignore[arg-type]
            many,
            window=hour,
            clock=lambda: 100.0 * len(source.asked),  # noqa: B023
        )
        asked = [user_id for user_id, _ in source.asked]
        assert 5 < len(asked) < 20
        times.update(asked)
    assert set(times) == set(range(1, 41))


@pytest.mark.promise("fair-time-limits")
def test_plans_of_several_kinds_of_destination_share_the_time_of_the_task() -> None:
    """One dead database has accounts of three kinds; a plan of each may not wait ten minutes for it."""
    away = MemorySource(fault=TransientError("no connection in time"))
    time_left = TimeOfPlan()
    for number, kind in enumerate(({"type": "s3", "conn_id": "s3", "bucket": "acme-audit"}, SUMO_LOGIC, SUMO_LOGIC)):
        several = [account(user_id=10 * number + each, destination=kind) for each in range(1, 9)]
        made = planned_run(
            dict.fromkeys((each.user_id for each in several), away),  # type: ignore[arg-type]
            several,
            destination=kind["type"],
            time_left=time_left,
            clock=lambda: 130.0 * len(away.asked),
        )
        assert len(made.slices) == 8

    assert len(away.asked) == 5


@pytest.mark.promise("fair-time-limits")
def test_databases_that_do_not_answer_do_not_use_up_the_time_of_the_plan() -> None:
    """Pairs of accounts share one each, so that each is asked for both together first, and that has a limit too."""
    source = TogetherSource(dict.fromkeys(range(1, 101), 1), fault=TransientError("no connection in time"))
    pairs = [account(number + 1, source={"type": "sql", "conn_id": f"db_{number // 2}"}) for number in range(100)]
    readings = count(step=60)

    planned_run(dict.fromkeys(range(1, 101), source), pairs, clock=lambda: float(next(readings)))  # type: ignore[arg-type]

    assert len(source.asked_together) <= 11
