"""Which admin events a source lists for a window: each kind of source holds the same events."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.event_source_suite import documents, event, ids, listed
from tests.support.job_stores import (
    JobStore,
    SqlStore,
)
from tests.support.source_suite import HOUR, START, USER_ID, every_database, every_source

from job_history.model.window import Window
from simulators.job_store import SampleEvent, sample_events

VECTORS = sorted((Path(__file__).parents[2] / "event_vectors").iterdir())


@every_database
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_a_golden_vector_comes_back_byte_for_byte(store: JobStore, vector: Path) -> None:
    row = json.loads((vector / "record.json").read_text())
    store.fill_events([SampleEvent(**row)])
    day = datetime.fromisoformat(row["occurred_at"]).astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)

    found = documents(listed(store.event_source(), Window(day, day + timedelta(days=1))))

    assert found == {(vector / "key.txt").read_text().strip(): (vector / "document.json").read_bytes()}


@every_source
def test_an_empty_window_counts_zero_and_lists_nothing(store: JobStore) -> None:
    store.fill_events([event(1, "2018-05-21T02:30:00Z")])

    assert listed(store.event_source()) == []


BOUNDARIES = {
    1: "2018-05-20T23:59:59Z",
    2: "2018-05-20T23:59:59.999Z",
    3: "2018-05-21T00:00:00Z",  # from here on in the window
    4: "2018-05-21T00:00:00.001Z",
    5: "2018-05-21T02:00:00+02:00",
    6: "2018-05-21T00:59:59.999Z",
    7: "2018-05-21T01:00:00Z",  # from here on in the next one
    8: "2018-05-20T18:00:00-07:00",
    9: "2018-05-20T13:30:00-12:00",
}


@pytest.mark.promise("event-window")
@every_source
def test_an_event_is_in_the_window_that_it_occurred_in(store: JobStore) -> None:
    store.fill_events([event(number, occurred_at) for number, occurred_at in BOUNDARIES.items()])
    hour = timedelta(hours=1)

    found = [ids(listed(store.event_source(), Window(START + n * hour, START + (n + 1) * hour))) for n in (-1, 0, 1)]

    assert found == [["1", "2"], ["3", "4", "5", "6"], ["7", "8", "9"]]


@every_source
def test_several_pages_of_events_are_all_there_once(store: JobStore) -> None:
    """More than two pages of the activity log, in the shorter pages of the second listing as well."""
    store.fill_events(sample_events(7, USER_ID, START - timedelta(hours=1), START + timedelta(hours=2), 250))

    records = listed(store.event_source())

    expected = list(sample_events(7, USER_ID, START, HOUR.end, 250))
    assert sorted((record.occurred_at or "")[:19] for record in records) == [each.occurred_at[:19] for each in expected]
    assert {record.event for record in records} == {each.event for each in expected}
    assert len(documents(records)) == 250


@every_source
def test_what_the_system_did_has_no_user(store: JobStore) -> None:
    store.fill_events([event(1, event="recipe_stopped", actor=None), event(2)])

    made = sorted((key, list(json.loads(body))) for key, body in documents(listed(store.event_source())).items())

    fields = ["event", "details", "user", "team", "resource", "timestamp"]
    assert made == [
        (
            f"5234/admin_events/20180521/000/000/000/000/000/000/00{number}/5234-{number}-20180521003000-{name}.json",
            [field for field in fields if number == 2 or field != "user"],
        )
        for number, name in ((1, "recipe_stopped"), (2, "user_login"))
    ]


@every_source
def test_no_events_of_another_account(store: JobStore) -> None:
    store.fill_events([event(1)])
    if isinstance(store, SqlStore):
        store.fill_events([event(2, user_id=77)])

    assert ids(listed(store.event_source())) == ["1"]
