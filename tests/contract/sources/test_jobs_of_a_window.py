"""Which jobs a source lists for a window, and with what: each kind of source holds the same jobs."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.support.job_stores import JobStore, SqlStore, golden_job
from tests.support.source_suite import (
    HOUR,
    START,
    USER_ID,
    documents,
    every_database,
    every_source,
    ids,
    job,
    listed,
)

from job_history.errors import QuarantineReason
from job_history.model.job import final_status
from job_history.model.window import Window
from simulators.job_store import SampleJob, example_job

VECTORS = sorted((Path(__file__).parents[2] / "vectors").iterdir())


@pytest.mark.promise("same-documents-from-each-database")
@every_database
@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_a_golden_vector_comes_back_byte_for_byte(store: JobStore, vector: Path) -> None:
    given = golden_job(vector)
    lines = json.loads((vector / "record.json").read_text())["line_details"]
    store.fill([given])
    day = datetime.fromisoformat(given.completed_at or "").astimezone(UTC).replace(hour=0, minute=0, second=0)
    window = Window(day, day + timedelta(days=1))

    records = listed(store.source(), window, user_id=given.user_id, lines=lines)

    expected = {(vector / "key.txt").read_text().strip(): (vector / "document.json").read_bytes()}
    assert documents(records, given.user_id, lines=lines) == expected


def test_there_are_golden_vectors() -> None:
    assert len(VECTORS) >= 12


@every_source
def test_an_empty_window_counts_zero_and_lists_nothing(store: JobStore) -> None:
    store.fill([job(1, "2018-05-21T02:30:00Z")])

    assert listed(store.source()) == []


BOUNDARIES = {
    1: "2018-05-20T23:59:59Z",
    2: "2018-05-20T23:59:59.999999Z",
    3: "2018-05-21T00:00:00Z",  # from here on in the window
    4: "2018-05-21T00:00:00.000001Z",
    5: "2018-05-21T02:00:00+02:00",
    6: "2018-05-20T17:59:59-07:00",
    7: "2018-05-21T00:59:59.999999Z",
    8: "2018-05-21T06:29:59.5+05:30",
    9: "2018-05-21T01:00:00Z",  # from here on in the next one
    10: "2018-05-20T18:00:00-07:00",
    11: "2018-05-21T01:00:00.000Z",
    12: "2018-05-21T14:59:59+14:00",
    13: "2018-05-20T13:30:00-12:00",
}


@pytest.mark.promise("job-window")
@every_source
def test_a_job_is_in_the_window_that_it_completed_in(store: JobStore) -> None:
    early = "2018-05-20T00:00:00Z"
    store.fill([job(number, completed_at, started_at=early) for number, completed_at in BOUNDARIES.items()])
    hour = timedelta(hours=1)
    windows = [Window(START + n * hour, START + (n + 1) * hour) for n in (-1, 0, 1)]

    found = [ids(listed(store.source(), window)) for window in windows]

    assert found == [["1", "2"], ["12", "3", "4", "5", "6", "7", "8"], ["10", "11", "13", "9"]]
    cut = HOUR.start + timedelta(minutes=30, microseconds=1)
    halves = [ids(listed(store.source(), half)) for half in (Window(HOUR.start, cut), Window(cut, HOUR.end))]
    assert sorted(halves[0] + halves[1]) == found[1]


@pytest.mark.promise("count-together")
@every_database
def test_a_batch_count_equals_the_counts_of_each_account(store: SqlStore) -> None:
    """More of them than go into one statement; most have nothing in the window."""
    user_ids = list(range(USER_ID, USER_ID + 250))
    moments = ["2018-05-21T00:00:00Z", "2018-05-21T00:59:59.999999Z", "2018-05-21T01:00:00Z"]
    store.fill(job(n, moments[n % 3])._replace(user_id=USER_ID + n % 230 // 7 * 7) for n in range(300))
    source = store.source()

    together = source.counts(user_ids, HOUR)

    assert together == [source.count(user_id, HOUR) for user_id in user_ids]
    assert (sum(together), len(together), len(set(together)) > 2) == (200, 250, True)
    assert source.counts([], HOUR) == []


@pytest.mark.promise("job-documents")
@every_source
def test_running_jobs_are_not_listed_and_stopped_jobs_are(store: JobStore) -> None:
    store.fill(
        [
            job(1),
            job(2)._replace(status="pending", completed_at=None),
            job(3)._replace(status="running", completed_at=None),
            job(4)._replace(status="aborted"),
            job(5)._replace(status="cancelled"),
            job(6)._replace(status="failed"),
        ]
    )

    # A job that completed has another word for it in the platform's API.
    found = {str(record.job_id): final_status(record.status) or record.status for record in listed(store.source())}

    assert found == {"1": "succeeded", "4": "aborted", "5": "cancelled", "6": "failed"}


@every_database
def test_lines_come_in_order_and_with_their_own_job_only(store: JobStore) -> None:
    def with_lines(given: SampleJob, *names: str) -> SampleJob:
        line = example_job().lines[0]
        lines = [
            line._replace(user_id=given.user_id, job_id=given.job_id, line_index=index, adapter_operation=name)
            for index, name in enumerate(names)
        ]
        return given._replace(lines=tuple(reversed(lines)))

    other_account = with_lines(job(1), "theirs")._replace(user_id=77)
    store.fill(
        [
            with_lines(job(1), *(f"of 1: {index}" for index in range(12))),
            with_lines(job(2)),
            with_lines(job(10), "of 10"),
            with_lines(job(3)._replace(completed_at=None), "of one that runs"),
            with_lines(job(4, "2018-05-21T03:00:00Z"), "of another window"),
            other_account._replace(lines=tuple(line._replace(user_id=77) for line in other_account.lines)),
        ]
    )

    def operations(user_id: int) -> dict[str, list[str | None]]:
        records = listed(store.source(), user_id=user_id)
        return {str(record.job_id): [line.adapter_operation for line in record.lines or []] for record in records}

    assert operations(USER_ID) == {"1": [f"of 1: {index}" for index in range(12)], "2": [], "10": ["of 10"]}
    assert operations(77) == {"1": ["theirs"]}
    assert operations(78) == {}


@pytest.mark.promise("duplicate-ids")
@every_database
def test_each_row_of_a_repeated_job_id_is_quarantined(store: JobStore) -> None:
    store.fill([job(1), job(2, title="one"), job(2, title="other")._replace(lines=()), job(3)])

    found = sorted((str(record.job_id), record.fault, record.fault_explanation) for record in listed(store.source()))

    explanation = "the source has more than one row with job_id 2 in this window"
    duplicate = QuarantineReason.DUPLICATE_JOB_ID
    assert [(job_id, fault) for job_id, fault, _ in found] == [
        ("1", None),
        ("2", duplicate),
        ("2", duplicate),
        ("3", None),
    ]
    assert {text.replace("'", "") for _, fault, text in found if fault} == {explanation}


@pytest.mark.promise("duplicate-ids")
@every_database
def test_an_id_that_is_repeated_in_another_part_of_the_window_is_found(store: SqlStore) -> None:
    first, second = "2018-05-21T00:10:00Z", "2018-05-21T00:50:00Z"
    after = "2018-05-21T01:00:00Z"
    store.fill(
        [
            *[job(1, first), job(2, first), job(2, second), job(3, second), job(3, after)],
            *[job("j-AbC", first), job("j-AbC", second), job("j-x", first), job("j-X", second)],
        ]
    )

    assert sorted(store.source().repeated_ids(USER_ID, HOUR)) == ["2", "j-AbC"]
    assert list(store.source().repeated_ids(USER_ID + 1, HOUR)) == []


@every_database
def test_an_id_listing_lists_each_window_as_ids_does(store: SqlStore) -> None:
    """In any order of windows, and over one connection."""
    store.fill(job(n, f"2018-05-21T0{n % 4}:30:00Z") for n in range(1, 20))
    hour = timedelta(hours=1)
    windows = [Window(START + n * hour, START + (n + 1) * hour) for n in (3, 0, 1, 2, 4)]
    source = store.source()

    with source.id_listing(USER_ID) as listing:
        found = [sorted(listing(window)) for window in windows]

    assert found == [sorted(source.ids(USER_ID, window)) for window in windows]
    assert [len(ids) for ids in found] == [5, 4, 5, 5, 0]


@every_source
def test_handles_and_ids_of_21_digits_come_back_as_they_are(store: JobStore) -> None:
    big, its_parent = "123456789012345678901", "123456789012345678900"
    store.fill([job("j-KGAKfhsz-GYoLeD", parent_id="j-parent", calling_job_id=99), job(big, parent_id=its_parent)])

    made = [json.loads(body) for body in documents(listed(store.source())).values()]

    assert sorted((str(one["id"]), one["parent_id"], one["calling_job_id"], len(one["lines"])) for one in made) == [
        (big, int(its_parent), None, 2),
        ("j-KGAKfhsz-GYoLeD", "j-parent", 99, 2),
    ]


@pytest.mark.promise("line-details-off")
@every_source
def test_line_details_off_asks_for_no_lines(store: JobStore) -> None:
    store.fill([job(1)])

    assert [record.lines for record in listed(store.source(), lines=False)] == [None]
