"""Bad records by name, from a database to quarantine: each has its reason, and the others are delivered."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.support.golden_messages import CheckMessage
from tests.unit.samples import DAY, HOUR, MemoryDestination, account, slice_of

from job_history.ledger.quarantine import QuarantineEntry
from job_history.model.ids import Id
from job_history.model.window import Window
from job_history.pipeline.extract import extract
from job_history.pipeline.load import load
from job_history.pipeline.results import Transformed
from job_history.pipeline.transform import transform
from job_history.sources.sql import SqlJobSource, dialect_for
from job_history.storage import Storage, local_storage
from job_history.storage.staging import staged_records
from simulators.job_store import BROKEN_JOBS, SampleJob, broken_jobs, create, fill, plain_job

GOOD = [plain_job(5234, DAY, number) for number in (1, 900_000, 10**10)] + [plain_job(5234, DAY, "j-KGAKfhsz-GYoLeD")]

# By name: the reason, and the id of each record.
EXPECTED: dict[str, tuple[str, list[Id]]] = {
    "bad_json_in_report": ("bad_json", [900_011]),
    "bad_json_in_line_output": ("bad_json", [900_012]),
    "null_started_at": ("bad_time", [900_013]),
    "unparsable_started_at": ("bad_time", [900_014]),
    "id_of_22_digits": ("bad_id", ["1234567890123456789012"]),
    "id_with_slash": ("bad_id", ["../../9999/jobs/1"]),
    "completed_before_started": ("bad_time", [900_017]),
    "duplicate_job_id": ("duplicate_job_id", [900_018, 900_018]),
}


class Replication:
    """A job store in SQLite, and the three steps after it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "jobs.sqlite"
        self.staging, self.ledger = local_storage(folder / "staging"), local_storage(folder / "ledger")
        self.destination = MemoryDestination()
        with closing(self.connect()) as connection:
            create(connection, "sqlite")

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path)

    def execute(self, statement: str, *parameters: Any) -> None:
        with closing(self.connect()) as connection, connection:
            connection.execute(statement, parameters)

    def run(self, jobs: list[SampleJob], **events: bool) -> Transformed:
        with closing(self.connect()) as connection:
            fill(connection, "sqlite", jobs)
        settings = account(events={"job_history": True, "line_details": True, **events})
        source = SqlJobSource(self.connect, dialect_for("sqlite"))
        stores: dict[str, Storage] = {"staging": self.staging, "ledger": self.ledger}
        self.extracted = extracted = extract(slice_of(), settings, source, self.staging)
        transformed = transform(slice_of(), settings, extracted, max_document_bytes=40_000_000, **stores)
        done = load(
            slice_of(), settings, extracted=extracted, transformed=transformed, destination=self.destination, **stores
        )
        assert done.balanced
        return transformed

    def quarantined(self, reason: str) -> list[QuarantineEntry]:
        paths = self.ledger.paths(f"_control/quarantine/{reason}/5234/jobs/{HOUR.slug}")
        return [entry for path in paths for entry in staged_records(self.ledger, path, QuarantineEntry)]


@pytest.fixture
def replication(tmp_path: Path) -> Replication:
    return Replication(tmp_path)


@pytest.fixture
def good_objects(tmp_path: Path) -> dict[str, bytes]:
    (tmp_path / "alone").mkdir()
    alone = Replication(tmp_path / "alone")
    alone.run(GOOD)
    assert len(alone.destination.objects) == len(GOOD)
    return alone.destination.objects


def test_every_broken_situation_has_an_expectation() -> None:
    assert set(EXPECTED) == set(BROKEN_JOBS)


@pytest.mark.parametrize("name", BROKEN_JOBS)
def test_broken_record_is_quarantined_with_its_reason_and_the_others_are_delivered(
    replication: Replication, good_objects: dict[str, bytes], name: str, check_message: CheckMessage
) -> None:
    reason, expected = EXPECTED[name]
    transformed = replication.run([*broken_jobs(name, 5234, DAY), *GOOD])
    entries = replication.quarantined(reason)
    assert [entry.job_id for entry in entries] == expected
    assert [entry.record.job_id for entry in entries if entry.record] == expected
    check_message("\n".join(entry.explanation for entry in entries))
    assert (transformed.quarantined, transformed.documents) == ({reason: len(expected)}, len(GOOD))
    assert replication.destination.objects == good_objects


def test_all_of_them_at_once(replication: Replication, good_objects: dict[str, bytes]) -> None:
    broken = [job for name in BROKEN_JOBS for job in broken_jobs(name, 5234, DAY)]
    transformed = replication.run([*broken, *GOOD])
    assert transformed.quarantined == {"bad_json": 2, "bad_time": 3, "bad_id": 2, "duplicate_job_id": 2}
    assert replication.destination.objects == good_objects


# What only a database without strict types can hold


@pytest.mark.parametrize(
    ("columns", "reason", "job_id"),
    [
        ("job_id = 1e999", "bad_id", "inf"),
        ("job_id = 'a b'", "bad_id", "a b"),
        ("recipe_id = 'r1'", "bad_id", 1),
        ("recipe_id = -1", "bad_id", 1),
        ("title = CAST(x'636166e9' AS TEXT)", "bad_text", "1"),
        ("is_poll_error = 'maybe'", "bad_text", "1"),
        ("report = ''", "bad_json", 1),
        ("report = x'7b'", "bad_json", 1),
    ],
)
def test_other_faults_of_a_record(
    replication: Replication, columns: str, reason: str, job_id: Id | None, check_message: CheckMessage
) -> None:
    with closing(replication.connect()) as connection:
        fill(connection, "sqlite", [plain_job(5234, DAY, 1)._replace(lines=())])
    replication.execute(f"UPDATE job_history_jobs SET {columns}")
    transformed = replication.run(GOOD[1:])
    [entry] = replication.quarantined(reason)
    assert entry.job_id == job_id
    assert (transformed.quarantined, transformed.documents) == ({reason: 1}, len(GOOD) - 1)
    check_message(entry.explanation)


@pytest.mark.promise("one-window-or-unplaceable")
def test_a_job_whose_completed_at_cannot_be_read_is_unplaceable(replication: Replication) -> None:
    with closing(replication.connect()) as connection:
        fill(connection, "sqlite", [plain_job(5234, DAY, 1)])
    replication.execute("UPDATE job_history_jobs SET completed_at = 'soon'")

    transformed = replication.run(GOOD[1:])

    found = SqlJobSource(replication.connect, dialect_for("sqlite")).unplaceable(5234)
    assert (found.count, found.example_id, found.example_form) == (1, "1", "text like 'aaaa'")
    assert (transformed.quarantined, transformed.documents) == ({}, len(GOOD) - 1)


def test_jobs_without_an_id_are_no_duplicates_of_each_other(replication: Replication) -> None:
    with closing(replication.connect()) as connection:
        fill(connection, "sqlite", [plain_job(5234, DAY, number) for number in (1, 2)])
    # A copy has no constraints; a view with an outer join has none either.
    replication.execute("ALTER TABLE job_history_jobs RENAME TO strict_jobs")
    replication.execute("CREATE TABLE job_history_jobs AS SELECT * FROM strict_jobs")
    replication.execute("UPDATE job_history_jobs SET job_id = NULL")
    assert replication.run([]).quarantined == {"bad_id": 2}
    explained = [(entry.job_id, entry.explanation) for entry in replication.quarantined("bad_id")]
    assert explained == [(None, "job_id is missing")] * 2


@pytest.mark.parametrize("field", ["input", "output", "error"])
def test_a_line_that_cannot_be_read_is_the_fault_of_its_job_alone(replication: Replication, field: str) -> None:
    with closing(replication.connect()) as connection:
        fill(connection, "sqlite", [plain_job(5234, DAY, 1)])
    replication.execute(f"UPDATE job_history_lines SET {field} = CAST(x'e9' AS TEXT) WHERE line_index = 1")
    transformed = replication.run(GOOD[1:])
    [entry] = replication.quarantined("bad_text")
    assert (entry.job_id, entry.explanation) == (
        1,
        f"lines[1]: {field} is not valid UTF-8: 'utf-8' codec can't encode character '\\udce9' in position 0: "
        "surrogates not allowed",
    )
    assert (transformed.quarantined, transformed.documents) == ({"bad_text": 1}, len(GOOD) - 1)


@pytest.mark.parametrize("stored", ["5234", "'5234'"])
def test_a_user_id_as_number_or_text(replication: Replication, stored: str) -> None:
    with closing(replication.connect()) as connection:
        fill(connection, "sqlite", [plain_job(1, DAY, 1)])
    replication.execute(f"UPDATE job_history_jobs SET user_id = {stored}")
    source = SqlJobSource(replication.connect, dialect_for("sqlite"))
    assert [source.count(5234, HOUR), source.count(1, HOUR)] == [1, 0]


def test_an_account_with_an_id_beyond_64_bits_has_no_jobs_in_sqlite_and_that_is_no_fault(
    replication: Replication,
) -> None:
    assert SqlJobSource(replication.connect, dialect_for("sqlite")).count(10**21 - 1, HOUR) == 0


def test_ids_that_a_tool_wrote_as_floating_point(replication: Replication) -> None:
    job = plain_job(5234, DAY, 1)._replace(lines=())
    with closing(replication.connect()) as connection:
        fill(connection, "sqlite", [job])
    replication.execute("UPDATE job_history_jobs SET parent_id = 7.0")
    assert replication.run([]).documents == 1
    [content] = replication.destination.objects.values()
    assert b'"parent_id":7,' in content


def test_a_line_may_have_a_column_named_id_and_a_job_may_not(replication: Replication) -> None:
    replication.execute("ALTER TABLE job_history_lines ADD COLUMN id integer DEFAULT 5")
    replication.run([plain_job(5234, DAY, 1)])
    [content] = replication.destination.objects.values()
    assert content.count(b'"mask_data":false,"id":5}') == 2


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        (HOUR, 1),
        (Window(DAY.replace(hour=1), DAY.replace(hour=2)), 0),
        (Window(DAY.replace(minute=30, second=10), DAY.replace(minute=30, second=11)), 1),
        (Window(DAY, DAY.replace(minute=30, second=10)), 0),
    ],
)
def test_a_job_is_counted_in_the_window_that_it_completed_in(
    replication: Replication, window: Window, expected: int
) -> None:
    with closing(replication.connect()) as connection:
        fill(connection, "sqlite", [plain_job(5234, DAY, 1)])
    assert SqlJobSource(replication.connect, dialect_for("sqlite")).count(5234, window) == expected


@pytest.mark.promise("mask-data-unclear")
@pytest.mark.parametrize("mask_data", ["NULL", "''", "'maybe'", "2"])
def test_lines_whose_mask_data_is_unclear_are_masked_and_counted(replication: Replication, mask_data: str) -> None:
    replication.run([])
    with closing(replication.connect()) as connection:
        fill(connection, "sqlite", [plain_job(5234, DAY, 1)])
    replication.execute(f"UPDATE job_history_lines SET mask_data = {mask_data} WHERE line_index = 1")

    replication.run([])

    [content] = replication.destination.objects.values()
    assert content.count(b'"input":{"data":"masked"}') == 1
    assert replication.extracted.unclear_masks == 1
