"""Plan: which accounts, which windows, in which slices; and no account stops another."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from tests.support.golden_messages import CheckMessage
from tests.unit.samples import DAY, HOUR, RUN, MemorySource, account, record

from job_history.accounts.account import Account
from job_history.accounts.variable import Accounts, EntryProblem
from job_history.errors import PermanentError, TransientError
from job_history.ledger.known_accounts import KnownAccounts
from job_history.model.event_kind import EventKind
from job_history.model.job import JobRecord
from job_history.model.slice import Slice
from job_history.model.timestamp import format_time
from job_history.model.window import Window
from job_history.pipeline.plan import plan
from job_history.pipeline.results import Plan, PlannedWindow
from job_history.sources import Cost, Listing, Source

THREE_HOURS = Window(DAY, DAY + timedelta(hours=3))
SUMO_LOGIC = {"type": "sumo_logic", "conn_id": "acme_sumo"}


def jobs(*minutes: float) -> MemorySource:
    return MemorySource(
        [
            record(job_id=number, completed_at=format_time(DAY + timedelta(minutes=minute)))
            for number, minute in enumerate(minutes)
        ]
    )


def planned_run(
    sources: dict[int, Source[JobRecord]], accounts: list[Account], *, faults: list[str] | None = None, **changes: Any
) -> Plan:
    def source_of(account: Account, _: EventKind) -> Source[JobRecord]:
        return sources[account.user_id]

    usable = {account.user_id: account for account in accounts}
    arguments: dict[str, Any] = {
        "run": RUN,
        "window": HOUR,
        "accounts": Accounts(usable, [EntryProblem(each.split()[1], [], each) for each in faults or []]),
        "chosen": [],
        "destination": "s3",
        "source_of": source_of,
        "max_jobs_per_slice": 100,
        "max_slices": 1_024,
        **changes,
    }
    return plan(**arguments)


def planned_window(account: Account, counted: int | None, slices: list[Slice], window: Window = HOUR) -> PlannedWindow:
    return PlannedWindow(
        user_id=account.user_id,
        name=account.name,
        window=window,
        enabled=account.enabled,
        counted=counted,
        slices=slices,
        settings_hash=account.settings_hash,
        destination={
            "type": "s3",
            "conn_id": "acme_s3",
            "bucket": "acme-audit",
            "prefix": "",
            "write_mode": "create_only",
        },
        destination_hash=account.destination_hash,
    )


def slices_of(account: Account, *parts: Window, window: Window = HOUR) -> list[Slice]:
    return [
        Slice(
            run=RUN,
            user_id=account.user_id,
            name=account.name,
            window=window,
            part=part,
            number=number,
            of=len(parts),
        )
        for number, part in enumerate(parts, start=1)
    ]


def half_hours(window: Window) -> list[Window]:
    middle = window.start + (window.end - window.start) / 2
    return [Window(window.start, middle), Window(middle, window.end)]


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

    assert source.asked_together == [([1, 2, 3], hour) for hour in THREE_HOURS.hours()]
    assert (source.asked_alone, other.asked_together, other.asked_alone) == ([], [], [4, 4, 4])
    alone = [planned_run(sources, [each], window=THREE_HOURS).windows for each in [*three, elsewhere, paused]]
    assert together.windows == [window for windows in alone for window in windows]
    assert [window.counted for window in together.windows] == [7] * 3 + [0] * 3 + [1] * 3 + [2] * 3 + [None] * 3


def test_if_a_batch_count_fails_each_account_is_counted_alone() -> None:
    source = TogetherSource({1: 7, 2: 0}, fault=TransientError("The statement was too large."))
    two = [account(user_id=user_id) for user_id in (1, 2)]

    made = planned_run({1: source, 2: source}, two)

    assert [(window.counted, len(window.slices)) for window in made.windows] == [(7, 1), (0, 0)]
    assert (len(source.asked_together), source.asked_alone) == (1, [1, 2])


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


# Which accounts


def test_each_destination_has_the_accounts_that_go_there() -> None:
    accounts = [account(), account(77, "Logs", destination=SUMO_LOGIC)]
    sources: dict[int, Source[JobRecord]] = {5234: jobs(1), 77: jobs(1)}
    chosen = [
        [window.user_id for window in planned_run(sources, accounts, destination=destination).windows]
        for destination in ("s3", "sumo_logic")
    ]
    assert chosen == [[5234], [77]]


def test_only_problems_of_chosen_accounts_are_reported() -> None:
    sources: dict[int, Source[JobRecord]] = {5234: jobs(1), 77: jobs(1)}
    faults = ["Account 8 Bad: name is missing.", "Account 9 Worse: events is missing."]
    made = planned_run(sources, [account(), account(77)], faults=faults, chosen=[77, 9, 77, 10])
    unusable = "is not among the usable accounts of the Airflow Variable job_history_accounts."
    assert [window.user_id for window in made.windows] == [77]
    assert made.faults == [
        f"Account 9 {unusable} Account 9 Worse: events is missing.",
        f"Account 10 {unusable} Add it there, or leave it out of the run's parameter accounts.",
    ]


def test_problems_of_the_variable_do_not_stop_usable_accounts() -> None:
    made = planned_run({5234: jobs(1)}, [account()], faults=["Account 9 Worse: events is missing."])
    assert (made.faults, len(made.slices)) == (["Account 9 Worse: events is missing."], 1)


@pytest.mark.parametrize("chosen", [[], [9]])
def test_a_run_without_a_usable_account_fails_with_the_reasons(chosen: list[int]) -> None:
    with pytest.raises(PermanentError) as refused:
        planned_run({}, [], faults=["Account 9 Worse: events is missing."], chosen=chosen)
    start = "No account of the Variable job_history_accounts can be replicated in window "
    assert str(refused.value).startswith(f"{start}[2018-05-21T00:00:00Z, 2018-05-21T01:00:00Z): ")
    assert str(refused.value).endswith("Account 9 Worse: events is missing.")


# How many slices


def test_windows_stay_whole_if_their_parts_exceed_max_map_length() -> None:
    source = jobs(1, 2, 31, 32, 61, 62, 91, 92)
    whole = [slices_of(account(), hour, window=hour) for hour in THREE_HOURS.hours()]
    made = planned_run({5234: source}, [account()], window=THREE_HOURS, max_jobs_per_slice=2, max_slices=3)
    assert [window.slices for window in made.windows] == [whole[0], whole[1], []]
    within = planned_run({5234: source}, [account()], window=THREE_HOURS, max_jobs_per_slice=2, max_slices=4)
    assert [len(window.slices) for window in within.windows] == [2, 2, 0]


def test_of_more_windows_than_max_map_length_the_oldest_are_planned(check_message: CheckMessage) -> None:
    acme, globex, idle = account(), account(77, "Globex"), account(78, "Idle")
    sources: dict[int, Source[JobRecord]] = {5234: jobs(1, 61, 121), 77: jobs(2, 62), 78: jobs()}

    made = planned_run(sources, [acme, globex, idle], window=THREE_HOURS, max_slices=3)

    assert [(planned.user_id, planned.window.start_text[11:13], len(planned.slices)) for planned in made.windows] == [
        (5234, "00", 1),
        (5234, "01", 1),
        (77, "00", 1),
        (77, "02", 0),
        (78, "00", 0),
        (78, "01", 0),
        (78, "02", 0),
    ]
    [message] = made.faults
    assert message.startswith("2 windows ")
    assert "max_map_length = 3" in message
    check_message(message)


def test_after_ten_minutes_of_failed_counts_windows_are_planned_uncounted() -> None:
    moments = iter(range(0, 10_000, 130))
    away = MemorySource(fault=TransientError("no connection in time"))
    many = [account(user_id=user_id) for user_id in range(1, 11)]

    made = planned_run(dict.fromkeys(range(1, 11), away), many, clock=lambda: next(moments))  # type: ignore[arg-type]

    assert [user_id for user_id, _ in away.asked] == [1, 2, 3, 4, 5]
    assert made.windows == [planned_window(each, None, slices_of(each, HOUR)) for each in many]


def test_skipped_windows_are_counted_by_state_and_not_planned(caplog: pytest.LogCaptureFixture) -> None:
    source = jobs(5, 65)
    complete = Window(DAY, DAY + timedelta(hours=1))

    def skip(_account: Account, _kind: EventKind, hour: Window) -> str | None:
        return "complete" if hour == complete else None

    with caplog.at_level("INFO"):
        plan_ = planned_run({5234: source}, [account()], window=THREE_HOURS, skip=skip)

    assert "Nothing to do: 1 window complete." in [entry.getMessage() for entry in caplog.records]
    assert [planned.window.start_text for planned in plan_.windows] == ["2018-05-21T01:00:00Z", "2018-05-21T02:00:00Z"]
    assert (plan_.skipped, plan_.planned) == ({"complete": 1}, [5234])
    assert complete not in [window for _, window in source.asked]


@pytest.mark.promise("failures-stay")
def test_an_account_whose_receipt_cannot_be_read_is_planned_and_so_are_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    acme, idle = account(), account(77, "Idle")

    def skip(one: Account, _kind: EventKind, _hour: Window) -> str | None:
        if one is acme:
            raise PermanentError("That is no receipt.")
        return None

    plan_ = planned_run({5234: jobs(1), 77: jobs()}, [acme, idle], skip=skip)

    assert plan_.windows == [planned_window(acme, 1, slices_of(acme, HOUR)), planned_window(idle, 0, [])]
    assert f"Account 5234 Acme, window {HOUR} is replicated: That is no receipt." in caplog.messages


@pytest.mark.promise("changed-settings")
def test_changed_settings_are_noted_in_each_window_of_the_account() -> None:
    known = KnownAccounts.of([account(), account(user_id=77)])
    changed = account(events={"job_history": True}, destination={"type": "s3", "conn_id": "acme_s3", "bucket": "new"})

    plan_ = planned_run({5234: jobs(), 77: jobs()}, [changed, account(user_id=77)], known=known)

    assert {planned.user_id: planned.settings_changes for planned in plan_.windows} == {
        5234: ['destination.bucket: "acme-audit" became "new"', "events.line_details: true became false"],
        77: [],
    }
    assert (list(plan_.settings), plan_.whole_list) == (["5234"], True)


@pytest.mark.promise("shrunk-list")
def test_a_list_that_lost_half_of_itself_fails_the_run_and_the_rest_is_planned(check_message: CheckMessage) -> None:
    known = KnownAccounts.of([account(user_id=number) for number in (5234, 2, 3, 4)])

    plan_ = planned_run({5234: jobs(5), 2: jobs()}, [account(), account(user_id=2)], known=known)

    [message] = plan_.faults
    assert "has 2 accounts, and had 4" in message
    assert "_control/accounts.json" in message
    check_message(message)
    assert (len(plan_.slices), plan_.whole_list) == (1, False)
    assert planned_run({5234: jobs()}, [account()], known=KnownAccounts.of([account()])).faults == []
    three = {number: jobs() for number in (5234, 2, 3)}
    assert planned_run(three, [account(user_id=number) for number in three], known=known).faults == []
