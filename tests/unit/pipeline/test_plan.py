"""Plan: which accounts and which windows a run is about; and no account stops another."""

from datetime import timedelta

import pytest
from tests.support.golden_messages import CheckMessage
from tests.support.planned import SUMO_LOGIC, THREE_HOURS, jobs, planned_run, planned_window, slices_of
from tests.unit.samples import DAY, HOUR, account

from job_history.accounts.account import Account
from job_history.errors import PermanentError
from job_history.ledger.known_accounts import KnownAccounts
from job_history.model.event_kind import EventKind
from job_history.model.job import JobRecord
from job_history.model.window import Window
from job_history.pipeline.plan import SeenWindow
from job_history.sources import Source

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
        f"Account 10 {unusable} Add it there, or ask for other accounts.",
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


# Which windows


def test_skipped_windows_are_counted_by_state_and_not_planned(caplog: pytest.LogCaptureFixture) -> None:
    source = jobs(5, 65)
    complete = Window(DAY, DAY + timedelta(hours=1))

    def skip(_account: Account, _kind: EventKind, hour: Window) -> SeenWindow:
        return SeenWindow("complete" if hour == complete else None)

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

    def skip(one: Account, _kind: EventKind, _hour: Window) -> SeenWindow:
        if one is acme:
            raise PermanentError("That is no receipt.")
        return SeenWindow()

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
    assert "_control/accounts" in message
    check_message(message)
    assert (len(plan_.slices), plan_.whole_list) == (1, False)
    assert planned_run({5234: jobs()}, [account()], known=KnownAccounts.of([account()])).faults == []
    three = {number: jobs() for number in (5234, 2, 3)}
    assert planned_run(three, [account(user_id=number) for number in three], known=known).faults == []
