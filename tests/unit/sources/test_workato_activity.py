"""The activity log: read whole whatever its unknown choices are, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from job_history.errors import PermanentError, QuarantineReason, TransientError, UnrecoverableError
from job_history.http.session import http_session
from job_history.model.admin_event import EventRecord
from job_history.model.window import Window
from job_history.sources.workato import Checkpoint, Endpoint, Unlimited, WorkatoClient, WorkatoEventSource
from job_history.sources.workato.activity import event_record
from job_history.storage import local_storage
from simulators.job_store import SampleEvent, sample_events
from simulators.workato import Fault, LocalWorkato, Workspace, local_workato

START = datetime(2018, 5, 21, 12, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(hours=1))
Page = list[dict[str, Any]]


class ActivityLog:
    """An API that has made other choices than the local one; as much of a client as reading the log takes."""

    server_time = None

    def __init__(
        self,
        entries: Page,
        *,
        most: int = 100,
        asks: Callable[[Page, dict[str, Any]], Page] = lambda entries, _: entries,
        loses: Callable[[Page], Page] = lambda page: page,
    ) -> None:
        self.rate_limiter = Unlimited()
        self.is_embedded = False
        self._entries = entries
        self._most = most
        self._asks = asks
        self._loses = loses

    def __str__(self) -> str:
        return "The API"

    def me(self) -> dict[str, msgspec.Raw]:
        return {"id": msgspec.Raw(b"5234")}

    def get(self, path: str, parameters: dict[str, Any]) -> dict[str, msgspec.Raw]:
        assert path == "activity_logs"
        self.rate_limiter.take()
        found = self._asks(self._entries, parameters)
        if (after := parameters.get("page[after]")) is not None:
            found = found[[entry["id"] for entry in found].index(after) + 1 :]
        page = found[: min(parameters["page[size]"], self._most)]
        return {"data": msgspec.Raw(msgspec.json.encode(self._loses(page)))}


def entry(number: int, seconds: float = 0) -> dict[str, Any]:
    moment = (START + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
    return {"id": number, "event_type": "user_login", "timestamp": moment}


def within(inclusive: bool) -> Callable[[Page, dict[str, Any]], Page]:
    def asked_for(entries: Page, parameters: dict[str, Any]) -> Page:
        start, end = (datetime.fromisoformat(parameters[name]) for name in ("from", "to"))
        moments = [(each, datetime.fromisoformat(each["timestamp"])) for each in entries]
        return [each for each, at in moments if (start <= at <= end if inclusive else start < at < end)]

    return asked_for


def listed(log: Any, window: Window = WINDOW) -> list[EventRecord]:
    source = WorkatoEventSource(log, clock=WINDOW.end.timestamp)
    with source.listing(5234, window, line_details=False) as listing:
        records = list(listing)
    assert (listing.counted, listing.counted_by) == (len(records), "second_listing")
    assert (source.count(5234, window), source.has_news(5234, window)) == (len(records), bool(records))
    return records


def refusal(log: Any) -> tuple[type, str]:
    with pytest.raises((PermanentError, TransientError)) as raised:
        listed(log)
    return type(raised.value), str(raised.value)


@pytest.mark.promise("api-activity-log")
@given(
    seconds=st.lists(st.integers(-3_000, 6_600).map(lambda tenths: tenths / 1_000 * 1_000), max_size=12),
    order=st.sampled_from(["newest first", "oldest first", "by id"]),
    most=st.integers(1, 5),
    asks=st.sampled_from([within(True), within(False), lambda entries, _: entries]),
)
def test_each_event_is_in_just_one_window_whatever_the_api_s_choices(
    seconds: list[float], order: str, most: int, asks: Callable[[Page, dict[str, Any]], Page]
) -> None:
    entries = [entry(number, second) for number, second in enumerate([0, 3_600, *seconds], start=1)]
    if order != "by id":
        entries.sort(key=lambda each: each["timestamp"], reverse=order == "newest first")
    hours = [Window(START + timedelta(hours=n), START + timedelta(hours=n + 1)) for n in (-1, 0, 1)]

    found = [
        sorted(record.event_id for record in listed(ActivityLog(entries, most=most, asks=asks), hour)) for hour in hours
    ]

    assert found == [
        sorted(each["id"] for each in entries if datetime.fromisoformat(each["timestamp"]) in hour) for hour in hours
    ]


@pytest.mark.promise("api-activity-log")
@pytest.mark.parametrize(
    ("number", "loses", "detail"),
    [
        (250, lambda page: page[1:], "247 admin events of {}, and the second time 246, 2 of them others"),
        (120, lambda page: [*page[:50], *page[51:]] if len(page) == 100 else page, "119 admin events of {}, and the second time 120, 1 of them others"),  # noqa: E501
        # As many, but not the same ones.
        (120, lambda page: [*page[: len(page) // 2], *page[len(page) // 2 + 1 :]] if len(page) in {100, 67} else page, "119 admin events of {}, and the second time 119, 1 of them others"),  # noqa: E501
    ],
)  # fmt: skip
def test_an_api_that_loses_an_entry_of_a_page_delivers_nothing(
    number: int, loses: Callable[[Page], Page], detail: str
) -> None:
    entries = [entry(each, each) for each in range(1, number + 1)]

    assert refusal(ActivityLog(entries, loses=loses)) == (
        TransientError,
        f"The API lists {detail.format('the window [2018-05-21T12:00:00Z, 2018-05-21T13:00:00Z)')}. Nothing was "
        "delivered, because events may be missing; the next try reads them again. If it persists, raise [job_history] "
        "settle_minutes: the platform may show events late.",
    )


def test_a_log_that_never_ends_is_an_error() -> None:
    class Circle(ActivityLog):
        def get(self, path: str, parameters: dict[str, Any]) -> dict[str, msgspec.Raw]:
            return super().get(path, {name: value for name, value in parameters.items() if name != "page[after]"})

    assert refusal(Circle([entry(1), entry(2)])) == (
        TransientError,
        "The API: the activity log turns in a circle (a page ends with entry 2, as an earlier one did). It is tried "
        "again.",
    )
    nameless = [{"event_type": "user_login", "timestamp": "2018-05-21T12:00:00Z"}]
    assert refusal(ActivityLog(nameless)) == (
        TransientError,
        "The API: the activity log turns in a circle (a page ends with no id). It is tried again.",
    )


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        ({"items": []}, "an object with ['items']"),
        ({"data": {}}, "Expected `array`, got `object`"),
        ({"data": [1]}, "Expected `object`, got `int` - at `$[0]`"),
    ],
)
def test_an_answer_that_is_not_documented_is_an_error(answer: dict[str, Any], detail: str) -> None:
    class Odd(ActivityLog):
        def get(self, *_: Any) -> dict[str, msgspec.Raw]:
            return {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in answer.items()}

    assert refusal(Odd([])) == (
        PermanentError,
        f"The API gives its activity log in a way that is not documented: {detail}. Nothing was read.",
    )


# An entry as a record


def record(**fields: Any) -> EventRecord:
    return event_record({name: msgspec.Raw(json.dumps(value).encode()) for name, value in fields.items()}, user_id=5234)


WHOLE = {
    "id": 77,
    "event_type": "recipe_started",
    "timestamp": "2018-05-21T05:00:00.123-07:00",
    "workspace": {"id": 1, "environment": "prod"},
    "user": {"id": 2},
    "details": {},
    "resource": {"type": "Flow"},
}


def test_what_an_entry_is_called_in_a_document() -> None:
    assert record(**WHOLE, api_client={"id": 3}, on_behalf_of=None) == EventRecord(
        user_id=5234,
        event_id=77,
        event="recipe_started",
        occurred_at="2018-05-21T05:00:00.123-07:00",
        details="{}",
        user='{"id": 2}',
        team='{"id": 1, "environment": "prod"}',
        resource='{"type": "Flow"}',
        extra={"api_client": '{"id": 3}'},
    )


def test_an_entry_with_a_team_of_its_own_keeps_its_workspace() -> None:
    reported = record(**WHOLE, team={"id": 9})
    assert (reported.team, reported.extra) == ('{"id": 9}', {"workspace": '{"id": 1, "environment": "prod"}'})


def test_what_is_null_or_not_there_is_left_out() -> None:
    assert record(id=1, event_type="user_logout", timestamp="2018-05-21T12:00:00Z", user=None) == EventRecord(
        user_id=5234, event_id=1, event="user_logout", occurred_at="2018-05-21T12:00:00Z"
    )


def test_unreadable_entry_is_reported_and_stops_no_other() -> None:
    entries = [{**entry(1), "id": [1]}, {**entry(2), "timestamp": "noon"}, entry(3)]

    assert listed(ActivityLog(entries)) == [
        EventRecord(
            user_id=5234,
            event_id="[1]",
            event="user_login",
            occurred_at="2018-05-21T12:00:00.000+00:00",
            fault=QuarantineReason.BAD_ID,
            fault_explanation="id is neither a number nor a handle, but a value of type list",
        ),
        EventRecord(user_id=5234, event_id=2, event="user_login", occurred_at="noon"),
        EventRecord(user_id=5234, event_id=3, event="user_login", occurred_at="2018-05-21T12:00:00.000+00:00"),
    ]


# Against the local API


@pytest.fixture
def workspace() -> Workspace:
    events: Iterator[SampleEvent] = sample_events(7, 5234, WINDOW.start, WINDOW.end, 150)
    return Workspace(user_id=5234, events=list(events), utc_offset_minutes=-420)


@pytest.fixture
def api(workspace: Workspace) -> Iterator[LocalWorkato]:
    with local_workato(workspaces=[workspace], now=WINDOW.end + timedelta(minutes=10), direct_limit=None) as running:
        yield running


def source_of(api: LocalWorkato, token: str, **options: Any) -> WorkatoEventSource:
    client = WorkatoClient(Endpoint(api.url, token), http_session(), Unlimited(), sleep=lambda _: None)
    return WorkatoEventSource(client, clock=api.now.timestamp, **options)


def test_a_second_listing_is_cut_at_other_places(api: LocalWorkato, workspace: Workspace) -> None:
    assert len(listed_from(source_of(api, workspace.token))) == 150

    asked = [request.path.partition("page%5Bsize%5D=")[2].partition("&")[0] for request in api.requests()]
    # The first request asks for the workspace.
    assert asked == ["", *["100"] * 3, *["67"] * 4]


def listed_from(source: WorkatoEventSource, window: Window = WINDOW) -> list[EventRecord]:
    with source.listing(5234, window, line_details=False) as listing:
        return list(listing)


def test_what_was_read_is_not_asked_for_again_by_the_next_try(
    api: LocalWorkato, workspace: Workspace, tmp_path: Path
) -> None:
    checkpoint = Checkpoint(local_storage(tmp_path), "slice")
    first_try = source_of(api, workspace.token, checkpoint=checkpoint)
    with pytest.raises(OSError, match="full"), first_try.listing(5234, WINDOW, line_details=False):
        raise OSError("the disk is full")
    api.reset()

    assert len(listed_from(source_of(api, workspace.token, checkpoint=checkpoint))) == 150
    assert [request.path for request in api.requests()] == ["/api/users/me"]
    assert list(tmp_path.rglob("*.zst")) == []


def test_a_window_that_the_log_no_longer_holds_is_refused_without_a_request(
    api: LocalWorkato, workspace: Workspace
) -> None:
    api.now = WINDOW.start + timedelta(days=365)
    assert len(listed_from(source_of(api, workspace.token))) == 150
    api.reset()
    api.now = WINDOW.start + timedelta(days=365, seconds=1)

    source = source_of(api, workspace.token)
    for ask in (lambda: source.has_news(5234, WINDOW), lambda: listed_from(source)):
        with pytest.raises(UnrecoverableError) as refused:
            ask()
        assert str(refused.value) == (
            "The window [2018-05-21T12:00:00Z, 2018-05-21T13:00:00Z) begins before what the platform's activity log "
            "still holds (source.activity_retention_days is 365). Its admin events can no longer be read; what was "
            "delivered in time is at the destination."
        )
    assert api.requests() == []


def test_a_token_that_may_not_read_the_log_is_found_out_beforehand(api: LocalWorkato, workspace: Workspace) -> None:
    source_of(api, workspace.token).check_readable(line_details=False)
    api.script([200, 403])

    with pytest.raises(PermanentError) as refused:
        source_of(api, workspace.token).check_readable(line_details=False)
    assert "asked for activity_logs, answered 403" in str(refused.value)
    assert str(refused.value).endswith("and for admin events to read the activity log.")


@pytest.mark.promise("api-contradictions")
def test_an_empty_log_with_a_total_is_no_quiet_hour() -> None:
    with local_workato(workspaces=[Workspace(user_id=5234, token="token-1")]) as api:
        source = WorkatoEventSource(
            WorkatoClient(Endpoint(api.url, "token-1"), http_session(), Unlimited()), clock=WINDOW.end.timestamp
        )
        empty = Fault(body='{"data": [], "total": 7}', path="activity_logs")
        api.script([empty] * 2)

        with pytest.raises(TransientError, match="a total of 7"):
            source.has_news(5234, WINDOW)
        with pytest.raises(TransientError, match="a total of 7"), source.listing(5234, WINDOW, line_details=False):
            pass

        assert not source.has_news(5234, WINDOW)


@pytest.mark.parametrize("total", ['"7"', "null", "-1", "0", "{}", "7.0"])
def test_a_total_that_is_no_number_shows_nothing(total: str) -> None:
    with local_workato(workspaces=[Workspace(user_id=5234, token="token-1")]) as api:
        source = WorkatoEventSource(
            WorkatoClient(Endpoint(api.url, "token-1"), http_session(), Unlimited()), clock=WINDOW.end.timestamp
        )
        api.script([Fault(body=f'{{"data": [], "total": {total}}}', path="activity_logs")])
        assert not source.has_news(5234, WINDOW)
