"""Extract: everything that the source counts is staged, or nothing goes on."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.unit.samples import DAY, HOUR, MemorySource, account, record, slice_of

from job_history.errors import PermanentError, QuarantineReason, TransientError
from job_history.model.admin_event import EventRecord
from job_history.model.event_kind import EventKind
from job_history.model.job import JobRecord
from job_history.model.record import Record
from job_history.model.timestamp import format_time, parse_time
from job_history.model.window import Window
from job_history.pipeline.extract import extract
from job_history.pipeline.results import Extracted
from job_history.sources.listing import StreamedListing
from job_history.storage import Storage, local_storage
from job_history.storage.staging import staged_records

FIRST_HALF = Window(DAY, DAY.replace(minute=30))
JOBS = [
    record(job_id=number, completed_at=format_time(DAY + timedelta(minutes=10 * number)), lines=None)
    for number in range(1, 7)
]


@pytest.fixture
def staging(tmp_path: Path) -> Storage:
    return local_storage(tmp_path)


def test_the_jobs_of_the_slices_own_part_are_staged(staging: Storage) -> None:
    part, source = slice_of(FIRST_HALF, number=1, of=2), MemorySource(JOBS)
    before = datetime.now(UTC)
    extracted = extract(part, account(), source, staging)
    assert extracted == Extracted(
        path=f"{part.folder}/jobs.jsonl.zst",
        counted=2,
        listed=2,
        seconds=pytest.approx(0, abs=5),
        read_at=extracted.read_at,
        line_details=True,
    )
    assert before <= parse_time(extracted.read_at) <= datetime.now(UTC)
    assert list(staged_records(staging, extracted.path, JobRecord)) == JOBS[:2]
    assert source.asked == [(5234, FIRST_HALF)]


def test_read_at_is_the_time_of_the_source(staging: Storage) -> None:
    class ClockSource(MemorySource):
        @contextmanager
        def listing(self, *_: Any, **__: Any) -> Iterator[StreamedListing[JobRecord]]:
            yield StreamedListing(0, iter([]), read_at=datetime(2018, 5, 21, 1, 12, 3, tzinfo=UTC))

    extracted = extract(slice_of(), account(), ClockSource([]), staging)
    assert extracted.read_at == "2018-05-21T01:12:03.000000Z"
    assert extracted.clock_off is not None
    assert extracted.clock_off.seconds > 8 * 365 * 86_400


@pytest.mark.parametrize("wanted", [True, False])
def test_lines_are_asked_for_only_where_they_are_wanted(staging: Storage, wanted: bool) -> None:
    source = MemorySource(JOBS)
    extract(slice_of(), account(events={"job_history": True, "line_details": wanted}), source, staging)
    assert source.asked_for_lines == [wanted]


@dataclass
class RepeatingSource(MemorySource):
    repeated: tuple[str, ...] = ("2", "9")

    def repeated_ids(self, user_id: int, window: Window) -> Iterator[str]:
        assert (user_id, window) == (5234, HOUR)
        yield from self.repeated


@pytest.mark.promise("duplicate-ids")
def test_a_job_whose_id_is_in_another_slice_too_goes_to_quarantine(staging: Storage) -> None:
    part = slice_of(FIRST_HALF, number=1, of=2)
    extracted = extract(part, account(), RepeatingSource([msgspec.structs.replace(job) for job in JOBS]), staging)
    found = list(staged_records(staging, extracted.path, JobRecord))
    assert [(job.job_id, job.fault) for job in found] == [(1, None), (2, QuarantineReason.DUPLICATE_JOB_ID)]
    assert found[1].fault_explanation == "the source has more than one row with job_id 2 in this window"


def test_a_window_in_one_slice_is_not_searched_for_repeated_ids(staging: Storage) -> None:
    source = RepeatingSource(JOBS, repeated=("2",))
    extracted = extract(slice_of(), account(), source, staging)
    assert [job.fault for job in staged_records(staging, extracted.path, JobRecord)] == [None] * 5


@pytest.mark.promise("duplicate-ids")
def test_a_source_that_repeats_very_many_ids_delivers_nothing(
    staging: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("job_history.pipeline.extract.MAX_REPEATED_IDS", 1)
    with pytest.raises(PermanentError, match="5234 Acme"):
        extract(slice_of(FIRST_HALF, number=1, of=2), account(), RepeatingSource(JOBS), staging)


def test_an_empty_slice_is_extracted(staging: Storage) -> None:
    extracted = extract(slice_of(), account(), MemorySource(), staging)
    assert (extracted.counted, extracted.listed) == (0, 0)
    assert list(staged_records(staging, extracted.path, JobRecord)) == []


@pytest.mark.promise("count-equals-list")
@pytest.mark.parametrize(("miscount", "counted"), [(1, "6"), (-1, "4"), (1_000, "1,005")])
def test_a_source_that_lists_other_jobs_than_it_counts_delivers_nothing(
    staging: Storage, miscount: int, counted: str
) -> None:
    with pytest.raises(TransientError) as refused:
        extract(slice_of(), account(), MemorySource(JOBS, miscount), staging)
    assert str(refused.value) == (
        "The source of account 5234 Acme, window [2018-05-21T00:00:00Z, 2018-05-21T01:00:00Z) counts "
        f"{counted} jobs, and lists 5. Nothing of it was delivered, because it is unknown what is missing. Compare "
        "the relation (or view) of jobs with a count of your own."
    )


@dataclass
class LyingSource(MemorySource):
    """Lists all of its records, whatever window it is asked for."""

    def _in(self, window: Window) -> list[Record]:  # noqa: ARG002 - that is the lie
        return list(self.records)


OUTSIDE = "2018-05-21T01:00:00Z"


@pytest.mark.promise("count-equals-list")
@pytest.mark.parametrize(
    ("records", "named"),
    [
        ([record(), record()], "lists job '100' more than once"),
        ([record(), record(job_id="100")], "lists job '100' more than once"),
        ([record(), record(job_id=2, completed_at=OUTSIDE)], f"lists job '2', whose time {OUTSIDE} is outside"),
        ([record(completed_at="2018-05-20T23:59:59.999999Z")], "is outside of the window"),
    ],
)
def test_a_source_that_contradicts_itself_delivers_nothing(
    staging: Storage, records: list[JobRecord], named: str
) -> None:
    with pytest.raises(TransientError, match="The source of account 5234 Acme, window") as refused:
        extract(slice_of(), account(), LyingSource(records), staging)
    assert named in str(refused.value)


@pytest.mark.parametrize(
    "records",
    [
        [record(fault=QuarantineReason.BAD_ID), record(fault=QuarantineReason.BAD_ID)],
        [record(job_id=None), record(job_id=None)],
        [record(completed_at=None), record(job_id=2, completed_at="soon")],
    ],
)
def test_records_for_quarantine_do_not_fail_the_extract(staging: Storage, records: list[JobRecord]) -> None:
    assert extract(slice_of(), account(), LyingSource(records), staging).listed == 2


EVENT = EventRecord(user_id=5234, event_id=7, event="user_login", occurred_at="2018-05-21T00:15:00Z")


def test_admin_events_go_the_same_way_and_have_no_lines(staging: Storage) -> None:
    events = msgspec.structs.replace(slice_of(), kind=EventKind.ADMIN_EVENTS)
    source = MemorySource([EVENT])
    extracted = extract(events, account(), source, staging)
    assert (extracted.path, extracted.listed, extracted.line_details, source.asked_for_lines) == (
        f"{events.folder}/admin_events.jsonl.zst",
        1,
        None,
        [False],
    )
    assert list(staged_records(staging, extracted.path, EventRecord)) == [EVENT]
    with pytest.raises(TransientError) as refused:
        extract(events, account(), MemorySource([EVENT], miscount=1), staging)
    assert str(refused.value) == (
        "The source of account 5234 Acme (admin events), window [2018-05-21T00:00:00Z, 2018-05-21T01:00:00Z) counts 2 "
        "admin events, and lists 1. Nothing of it was delivered, because it is unknown what is missing. Compare the "
        "relation (or view) of admin events with a count of your own."
    )


def test_a_fault_of_the_source_is_passed_on(staging: Storage) -> None:
    fault = TransientError("the database is away")
    with pytest.raises(TransientError) as passed_on:
        extract(slice_of(), account(), MemorySource(JOBS, fault=fault), staging)
    assert passed_on.value is fault
