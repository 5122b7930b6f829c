"""What a report seals, a stranger verifies."""

from __future__ import annotations

import functools
import json
import logging
import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.support.crash_matrix import crash_cell
from tests.support.sealed_archive import HOUR, START, key_pair
from tests.support.sealing import S3, SEALS, Installation, jobs_of, window_of

from job_history.destinations.kind import DocumentStore
from job_history.errors import TransientError
from job_history.errors.code import Code
from job_history.ledger.receipt import REDRIVE, WindowState
from job_history.ledger.receipt_files import receipt_path
from job_history.ledger.receipt_store import record
from job_history.ledger.status_file import PATH as STATUS
from job_history.ledger.status_file import SealHead, read_status
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.seals.needs import AccountPlace, Sealing, SealReport, Witness
from job_history.seals.sealing import SealsOfRun, log_seals, seal_windows
from job_history.seals.signer import KeySigner
from job_history.seals.to_seal import of_chains
from job_history.seals.unsealed import UnsealedWindow, unsealed_windows
from job_history.storage import local_storage


@pytest.fixture
def one(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def seal(one: Installation, seq: int) -> dict[str, object]:
    return json.loads((one.folder / "ledger" / SEALS / f"{seq:012d}.json").read_bytes())  # type: ignore[no-any-return]


def marks(one: Installation) -> list[str]:
    return sorted(path.name for path in (one.folder / "ledger/receipts").rglob("*.sealed"))


def test_three_hours_are_sealed_copied_and_proven(one: Installation) -> None:
    for hour, jobs in ((0, (1, 2)), (1, ()), (2, (3,))):
        report = one.run(hour, jobs_of(hour, *jobs))
        assert (report.problems, report.warnings, report.unsealed) == ([], [], 0)
    result = one.verified(heads=[f"5234/jobs/3:{report.heads['5234/jobs'].sha256}"])
    assert (result.code, result.documents, result.hours) == (0, {"proven": 3}, {"proven": 3})
    assert one.ledger_verified().hours == {"proven": 3}
    status = read_status(one.ledger)
    assert status is not None
    assert status.accounts["5234/jobs"].seals == report.heads["5234/jobs"]
    assert report.heads["5234/jobs"].copied == 3
    assert marks(one) == ["r000001.sealed"] * 3
    first = seal(one, 1)
    assert (first["reason"], first["state"], first["destination"]) == (
        "run",
        "complete",
        {"type": "s3", "bucket": "acme-audit", "prefix": ""},
    )


@pytest.mark.parametrize("state", [WindowState.FAILED, WindowState.UNRECOVERABLE, WindowState.DISABLED])
def test_windows_that_are_not_closed_are_sealed_as_such(one: Installation, state: WindowState) -> None:
    one.run(0, jobs_of(0, 1), state=state)
    assert seal(one, 1)["state"] == str(state)
    assert one.verified().verdicts == {str(state)}


def test_failed_window_that_is_run_again_is_sealed_again(one: Installation) -> None:
    one.run(0, jobs_of(0, 1), "first", state=WindowState.FAILED)
    one.run(0, jobs_of(0, 1, 2), "second")
    result = one.verified()
    assert (result.code, result.documents, result.hours) == (0, {"proven": 2}, {"proven": 1})
    assert seal(one, 2)["receipt"]["revision"] == 2  # type: ignore[index]


@pytest.mark.promise("proof-forgets-nothing")
def test_documents_that_the_source_forgets_stay_in_the_sums(one: Installation) -> None:
    one.run(0, jobs_of(0, 1, 2), "first")
    one.run(0, jobs_of(0, 3), "second")
    assert seal(one, 2)["counts"]["gone"] == 2  # type: ignore[index]
    assert one.verified().documents == {"proven": 3}
    next((one.copy / "5234").rglob("5234-234-1-*.json")).unlink()
    assert one.verified().documents == {"proven": 2, "missing": 1}


@pytest.mark.promise("proof-forgets-nothing")
@pytest.mark.parametrize("together", [True, False])
def test_document_that_moved_between_two_hours_and_was_repaired_is_proven(one: Installation, together: bool) -> None:
    """Its completed_at was corrected from hour 1 to hour 0; its key stays, because it started at the same time."""
    before = jobs_of(1, 7)
    one.run(0, jobs_of(0, 1))
    one.run(1, {**before, **jobs_of(1, 8)})
    key = next(iter(before))
    after = {key: before[key].replace(b"T01:05:00Z", b"T00:59:00Z")}
    one.deliver(after)
    one.now += timedelta(hours=1)
    hour_0 = one.receipt(0, {**jobs_of(0, 1), **after}, "repair")
    hour_1 = one.receipt(1, jobs_of(1, 8), "repair")
    if together:
        one.report([hour_0, hour_1])
    else:
        one.report([hour_0])
        one.report([hour_1])
    result = one.verified()
    assert (result.code, result.documents) == (0, {"proven": 3})


@pytest.mark.parametrize(
    ("run", "repair", "late", "reason"),
    [
        ("scheduled", False, 0, "run"),
        ("manual", True, 1, "repair"),
        ("backfill", True, 0, "repair"),
        ("backfill", False, 1, "backfill"),
        ("scheduled", False, 1, "late"),
        (f"{REDRIVE}1", False, 0, "redrive"),
    ],
)
def test_seal_has_the_reason_of_its_run(one: Installation, run: str, repair: bool, late: int, reason: str) -> None:
    one.report([one.receipt(0, jobs_of(0, 1), run, repair=repair, late=late)])
    assert seal(one, 1)["reason"] == reason


def test_report_that_is_repeated_seals_nothing_again(one: Installation) -> None:
    receipt = one.receipt(0, jobs_of(0, 1), "run")
    one.deliver(jobs_of(0, 1))
    one.report([receipt])
    one.report([receipt])
    assert one.report([receipt]).heads["5234/jobs"].seq == 1
    assert one.verified().code == 0


def test_chain_goes_on_without_a_status(one: Installation) -> None:
    one.run(0, jobs_of(0, 1))
    one.ledger.delete(STATUS)
    report = one.run(1, jobs_of(1, 2))
    assert (report.heads["5234/jobs"].seq, report.heads["5234/jobs"].copied) == (2, 2)
    assert one.verified().code == 0


def test_archive_with_a_prefix_is_proven_below_it(tmp_path: Path) -> None:
    one = Installation(tmp_path, prefix="audit/acme")
    one.run(0, jobs_of(0, 1, 2))
    assert seal(one, 1)["destination"] == {"type": "s3", "bucket": "acme-audit", "prefix": "audit/acme"}
    assert (one.verified().code, one.verified().documents) == (0, {"proven": 2})


def test_place_names_the_host_of_other_stores(tmp_path: Path) -> None:
    one = Installation(tmp_path, description={**S3, "host": "minio.example:9000"})
    one.run(0, jobs_of(0, 1))
    assert seal(one, 1)["destination"]["host"] == "minio.example:9000"  # type: ignore[index]
    assert one.verified().code == 0


@pytest.mark.promise("proof-forgets-nothing")
def test_moved_account_has_its_chain_in_the_new_bucket(one: Installation) -> None:
    one.run(0, jobs_of(0, 1))
    one.copy = one.folder / "new"
    one.bucket = one.storage_of(one.copy)
    one.description = {**S3, "bucket": "new-audit"}
    report = one.run(1, jobs_of(1, 2))
    assert report.problems == []
    result = one.verified()
    assert (result.code, result.documents) == (0, {"proven": 1, "elsewhere": 1})


def test_messages_are_sealed_in_the_ledger_alone(tmp_path: Path) -> None:
    one = Installation(tmp_path, description={"type": "sumo_logic", "target": "collectors.example/abc"})
    report = one.run(0, jobs_of(0, 1))
    assert (report.problems, report.warnings) == ([], [])
    assert one.ledger_verified().documents == {"not checkable": 1}
    assert seal(one, 1)["destination"] == {"type": "sumo_logic", "target": "collectors.example/abc"}
    assert not (one.copy / "_control").exists()


def test_unsigned_chain_has_no_signatures(tmp_path: Path) -> None:
    one = Installation(tmp_path, signer=lambda: None)
    one.run(0, jobs_of(0, 1))
    assert list(one.copy.rglob("*.sig")) == []
    assert (one.verified().code, one.verified(allow_unsigned=True).code) == (1, 0)


@pytest.mark.promise("proof-delays")
@crash_cell("around", "the key that signs seals is away", "while a report seals", "the next report")
def test_key_that_is_away_leaves_windows_unsealed_until_it_is_back(one: Installation) -> None:
    def away() -> None:
        raise TransientError("KMS is away.")

    one.run(0, jobs_of(0, 1))
    signer, one.signer = one.signer, away
    report = one.run(1, jobs_of(1, 2))
    assert (report.unsealed, report.problems) == (1, [])
    assert "KMS is away." in report.warnings[0]
    assert one.ledger_verified().verdicts == {"unsealed"}
    one.signer = signer
    report = one.run(2, jobs_of(2, 3))
    assert (report.unsealed, report.warnings, unsealed_windows(one.ledger)) == (0, [], [])
    assert (one.verified().code, one.ledger_verified().hours) == (0, {"proven": 3})


def test_windows_that_are_unsealed_for_a_day_are_a_problem(one: Installation) -> None:
    def away() -> None:
        raise TransientError("KMS is away.")

    one.signer = away
    assert one.run(0, {}).problems == []
    mark = one.folder / "ledger" / unsealed_windows(one.ledger)[0].path
    one.now = datetime.fromtimestamp(mark.stat().st_mtime, UTC) + timedelta(hours=24)
    assert "2 windows are unsealed for more than 24 hours" in one.run(1, {}).problems[0]


def test_key_that_is_taken_out_of_the_config_seals_nothing(one: Installation) -> None:
    one.run(0, {})
    one.signer = lambda: None
    report = one.run(1, {})
    assert report.unsealed == 1
    assert "signing_conn_id" in report.warnings[0]


@pytest.mark.promise("proof-delays")
@crash_cell("s3", "away", "while seals are copied", "the next report")
def test_bucket_that_is_away_gets_its_copy_later(one: Installation) -> None:
    one.run(0, jobs_of(0, 1))
    one.bucket_error = TransientError("The bucket is away.")
    report = one.run(1, jobs_of(1, 2))
    assert (report.unsealed, report.problems) == (0, [])
    assert report.heads["5234/jobs"].copied == 1
    one.now += timedelta(hours=25)
    assert "not copied" in one.run(2, jobs_of(2, 3)).problems[0]
    one.bucket_error = None
    report = one.run(3, {})
    assert (report.problems, report.heads["5234/jobs"].copied) == ([], 4)
    assert one.verified().code == 0


def test_seals_that_were_cut_off_are_reported_and_copied_again(one: Installation) -> None:
    for hour in range(3):
        one.run(hour, jobs_of(hour, hour + 1))
    for path in (one.copy / SEALS).glob("00000000000[23]*"):
        path.unlink()
    report = one.run(3, {})
    assert len(report.problems) == 1
    assert Code.SEALS_CUT in report.problems[0]
    assert "had 3 seals, and has 1" in report.problems[0]
    assert one.verified().code == 0
    assert one.run(4, {}).problems == []


def test_seals_of_another_are_not_written_over(one: Installation) -> None:
    one.run(0, {})
    path = one.copy / SEALS / f"{1:012d}.json"
    path.write_bytes(path.read_bytes() + b" ")
    report = one.run(1, {})
    assert Code.SEALS_OF_ANOTHER in report.problems[0]
    assert not (one.copy / SEALS / f"{2:012d}.json").exists()


def test_ledger_that_lost_its_seals_takes_them_back(one: Installation) -> None:
    for hour in range(2):
        one.run(hour, jobs_of(hour, hour + 1))
    shutil.rmtree(one.folder / "ledger")
    one.ledger = one.storage_of(one.folder / "ledger")
    report = one.run(2, jobs_of(2, 9))
    assert (report.problems, report.heads["5234/jobs"].seq) == ([], 3)
    result = one.verified()
    assert (result.code, result.documents) == (0, {"proven": 3})


def test_seals_of_another_key_are_not_taken_back(one: Installation) -> None:
    one.run(0, {})
    shutil.rmtree(one.folder / "ledger")
    one.ledger = one.storage_of(one.folder / "ledger")
    one.signer = lambda: KeySigner(key_pair(2))
    report = one.run(1, {})
    assert report.unsealed == 1
    assert Code.SEALS_OF_ANOTHER in report.problems[0]
    assert one.verified().code == 0


def test_ledger_that_cannot_be_read_seals_nothing(one: Installation) -> None:
    one.run(0, {})
    seals = one.folder / "ledger" / SEALS
    seals.rename(one.folder / "away")
    seals.write_text("a file, where a folder was")
    report = one.run(1, {})
    assert (report.unsealed, report.heads["5234/jobs"].seq) == (1, 1)
    seals.unlink()
    (one.folder / "away").rename(seals)
    assert one.run(2, {}).unsealed == 0
    assert one.verified().code == 0


def test_damaged_receipt_stops_the_seal_of_its_own_window_alone(one: Installation) -> None:
    one.run(0, {})
    other = UnsealedWindow(77, EventKind.JOBS, window_of(0))
    other.write(one.ledger)
    one.ledger.write(receipt_path(77, EventKind.JOBS, window_of(0)), b"{")

    report = one.run(1, jobs_of(1, 1))

    assert (report.problems, report.unsealed, report.heads["5234/jobs"].seq) == ([], 1, 2)
    assert Code.LEDGER_FILE_DAMAGED in report.warnings[0]
    assert one.verified().documents == {"proven": 1}
    assert unsealed_windows(one.ledger) == [other]


def test_window_that_waits_for_a_seal_and_lost_its_receipt_is_named(one: Installation) -> None:
    UnsealedWindow(77, EventKind.JOBS, window_of(0)).write(one.ledger)

    report = one.run(1, {})

    assert (report.problems, report.unsealed, len(report.warnings)) == ([], 1, 1)
    assert "77/jobs" in report.warnings[0]


def test_number_of_unsealed_windows_is_unknown_if_their_marks_cannot_be_listed(one: Installation) -> None:
    one.run(0, {})
    one.ledger.write("_control/unsealed", b"a file, where a folder was")

    report = one.run(1, {}, "run")

    assert (report.unsealed, len(report.problems)) == (None, 1)


def test_folder_that_cannot_be_listed_stops_the_look_back_of_its_own_account_alone(one: Installation) -> None:
    record(one.ledger, one.receipt(1, {}, "killed"))
    one.ledger.write("receipts/77/jobs/20180521", b"a file, where a folder was")
    seals = SealsOfRun(one.ledger, one.sealing)

    seals.look_back([(77, EventKind.JOBS), (5234, EventKind.JOBS)], [window_of(1)])

    assert unsealed_windows(one.ledger) == [UnsealedWindow(5234, EventKind.JOBS, window_of(1))]


def test_reconciliation_finds_what_a_killed_report_left_unsealed(one: Installation) -> None:
    one.run(0, jobs_of(0, 1))
    one.deliver(jobs_of(1, 2))
    record(one.ledger, one.receipt(1, jobs_of(1, 2), "killed"))
    assert one.ledger_verified().verdicts == {"unsealed"}
    seals = SealsOfRun(one.ledger, one.sealing)
    seals.look_back([(5234, EventKind.JOBS)], [Window(window_of(0).start, window_of(2).end)])
    report = seals.seal([], one.now)
    assert (report.problems, report.heads["5234/jobs"].seq) == ([], 2)
    assert (one.verified().code, one.ledger_verified().code, unsealed_windows(one.ledger)) == (0, 0, [])


def test_redriven_revision_is_sealed_by_the_next_report(one: Installation) -> None:
    one.run(0, jobs_of(0, 1))
    one.deliver(jobs_of(0, 2))
    UnsealedWindow(5234, EventKind.JOBS, window_of(0)).write(one.ledger)
    record(one.ledger, one.receipt(0, jobs_of(0, 1, 2), f"{REDRIVE}1"))
    one.run(1, {})
    assert (seal(one, 2)["reason"], unsealed_windows(one.ledger)) == ("redrive", [])
    assert one.verified().documents == {"proven": 2}


def test_witness_gets_the_heads_and_its_failure_is_a_warning(one: Installation) -> None:
    sent: list[bytes] = []
    one.witness = Witness("audit", sent.append)
    report = one.run(0, {})
    (line,) = sent[0].splitlines()
    head = report.heads["5234/jobs"]
    assert json.loads(line) == {
        "type": "job-history/head/v1",
        "user_id": 5234,
        "kind": "jobs",
        "seq": 1,
        "sha256": head.sha256,
    }

    def away(_: bytes) -> None:
        raise TransientError("The witness is away.")

    one.witness = Witness("audit", away)
    report = one.run(1, {})
    assert (report.problems, len(report.warnings), report.unsealed) == ([], 1, 0)
    assert one.verified(heads=[f"5234/jobs/1:{head.sha256}"]).code == 0


def test_accounts_that_cannot_be_read_stop_no_seal(one: Installation) -> None:
    def unreadable(_: int) -> None:
        raise TransientError("The Variable cannot be read.")

    one.run(0, {})
    seals = SealsOfRun(one.ledger, Sealing(one.signer, unreadable))
    report = seals.seal([record(one.ledger, one.receipt(1, {}, "run"))], one.now)
    assert (report.heads["5234/jobs"].seq, report.problems) == (2, [])
    assert "The Variable cannot be read." in report.warnings[0]


@pytest.mark.promise("report-log-short")
@pytest.mark.parametrize(
    ("chains", "failing", "shown"),
    [
        (10, [], 10),
        (11, [], 0),
        (10_000, ["3/jobs", "7/jobs"], 2),
        (10_000, [f"{each}/jobs" for each in range(9_000)], 10),
    ],
)
def test_the_log_has_the_heads_of_few_chains_and_of_many_only_those_that_fail(
    caplog: pytest.LogCaptureFixture, chains: int, failing: list[str], shown: int
) -> None:
    caplog.set_level(logging.INFO, "job_history")
    heads = {f"{user_id}/jobs": SealHead(seq=1, sha256="3f") for user_id in range(chains)}
    report = SealReport(heads=heads, warnings=[f"Account {each}" for each in failing], failing={*failing})

    log_seals(report)

    lines = "\n".join(caplog.messages).splitlines()
    heads_logged = [line.partition("/1:")[0] for line in lines if line.endswith("/1:3f")]
    assert len(heads_logged) == shown
    assert {*heads_logged} <= {*failing} or chains == 10
    assert any("10,000" in line for line in lines) is (chains == 10_000)
    assert len(lines) < 40


@pytest.mark.promise("no-account-waits")
def test_buckets_that_hang_hold_a_report_for_a_limited_time_and_delay_no_other_account_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("job_history.seals.sealing.CHAINS_AT_ONCE", 2)
    ledger, bucket = local_storage(tmp_path / "ledger"), local_storage(tmp_path / "bucket")
    answering, hanging = range(1, 11), range(101, 131)
    seconds, asked, lock = [0.0], [0], threading.Lock()

    def open_of(user_id: int) -> DocumentStore:
        if user_id in hanging and hour > 0:
            with lock:
                seconds[0] += 100
                asked[0] += 1
            raise TransientError("no answer in time")
        return DocumentStore(bucket, overwrites=False, description=dict(S3))

    sealing = Sealing(lambda: None, lambda each: AccountPlace("", functools.partial(open_of, each)))
    heads: dict[str, SealHead] = {}
    for hour in range(8):
        asked[0] = 0
        one = Installation(tmp_path, now=START + hour * HOUR)
        receipts = [replace(one.receipt(hour, {}, "run"), user_id=each) for each in (*answering, *hanging)]
        recorded = [record(ledger, each) for each in receipts]
        report = seal_windows(ledger, sealing, of_chains(recorded), heads, one.now, clock=lambda: seconds[0])

        assert (report.problems, report.unsealed) == ([], 0)
        assert asked[0] <= 8
        heads = report.heads

    assert {heads[f"{each}/jobs"].seq for each in (*answering, *hanging)} == {8}
    assert {heads[f"{each}/jobs"].copied for each in answering} == {8}
    assert {heads[f"{each}/jobs"].copied for each in hanging} == {1}
