"""Whatever a job's times, ids and types are: it is in exactly one window, or counted as unplaceable, or still open."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from job_history.model.window import Window
from job_history.sources.workato import Unlimited, WorkatoSource

USER_ID = 5234
NOON = datetime(2018, 5, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
WINDOWS = [Window(NOON + number * HOUR, NOON + (number + 1) * HOUR) for number in range(3)]
RECIPE = 7

UNREADABLE = [
    "tomorrow",
    "",
    "2018-05-21",
    1_526_905_800,
    1.5,
    True,
    [],
    {},
    "21/05/2018 12:30",
    "2018-05-21T99:00:00Z",
]
MISSING = object()

readable = st.integers(0, 3 * 3_600 - 1).map(lambda seconds: (NOON + timedelta(seconds=seconds)).isoformat())
times = st.one_of(readable, readable, st.sampled_from([*UNREADABLE, None, MISSING]))
statuses = st.sampled_from(["succeeded", "failed", "completed", "aborted", "pending", 5, None, MISSING, ["failed"]])
odd = st.sampled_from([MISSING, None, 0, "text", [1], {"a": 1}, False])
jobs = st.fixed_dictionaries(
    {
        "status": statuses,
        "started_at": times,
        "completed_at": times,
        "title": odd,
        "is_error": odd,
        "parent_id": odd,
        "calling_job_id": odd,
        "error": odd,
        "report": odd,
        "is_poll_error": odd,
    }
)
id_forms = st.sampled_from([lambda number: f"j-{number}", lambda number: number, lambda number: [number], str])


class Platform:
    """A workspace of one recipe with these jobs, newest first, in pages of two; it does not show its last run."""

    server_time = None

    is_embedded = False

    def __init__(self, items: list[dict[str, Any]]) -> None:
        self.rate_limiter = Unlimited()
        self._items = items

    def __str__(self) -> str:
        return "The API"

    def me(self) -> dict[str, msgspec.Raw]:
        return {"id": msgspec.Raw(b"5234")}

    def get(self, path: str, parameters: dict[str, Any]) -> dict[str, msgspec.Raw]:
        if path == "recipes":
            listed = [] if "since_id" in parameters else [{"id": RECIPE}]
        else:
            offset = parameters.get("offset_job_id")
            ids = [str(item["id"]) for item in self._items]
            first = 0 if offset is None else ids.index(offset) + 1
            listed = self._items[first : first + 100]
        return {"items": msgspec.Raw(json.dumps(listed).encode())}


def expected(item: dict[str, Any]) -> int | str:
    """Return the number of the window of a job, `unplaceable` or `open`; written without the code that it checks."""
    end = item.get("completed_at")
    if end is None:
        return "unplaceable" if item.get("status") in ("completed", "succeeded", "failed") else "open"
    if not isinstance(end, str) or not end.startswith("2018-05-21T1"):
        return "unplaceable"
    return int((datetime.fromisoformat(end) - NOON) / HOUR)


@pytest.mark.promise("unplaceable-records")
@settings(max_examples=150)
@given(st.lists(st.tuples(jobs, id_forms), max_size=8))
def test_each_job_is_in_one_window_or_unplaceable_or_open(drawn: list[tuple[dict[str, Any], Any]]) -> None:
    items = [
        {"id": form(number), **{name: value for name, value in fields.items() if value is not MISSING}}
        for number, (fields, form) in enumerate(drawn, start=1)
    ]
    # The last one has an id that a page can be continued from.
    items.append({"id": "last", "status": "pending", "started_at": NOON.isoformat(), "completed_at": None})

    client: Any = Platform(items)
    source = WorkatoSource(client, clock=(NOON + 4 * HOUR).timestamp)
    found: Counter[tuple[str, int]] = Counter()
    unplaceable = []
    for number, window in enumerate(WINDOWS):
        with source.listing(USER_ID, window, line_details=False) as listing:
            records = list(listing)
        assert listing.counted == len(records)
        found.update((str(record.job_id), number) for record in records)
        unplaceable.append(0 if listing.unplaceable is None else listing.unplaceable.count)

    where = [(_text(item["id"]), expected(item)) for item in items]
    assert found == Counter((job_id, place) for job_id, place in where if isinstance(place, int))
    assert unplaceable == [sum(place == "unplaceable" for _, place in where)] * len(WINDOWS)


def _text(job_id: Any) -> str:
    return json.dumps(job_id) if isinstance(job_id, list) else str(job_id)
