"""Seals that the status, the ledger or the bucket lost: the chain never forks, and no loss is green."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.crash_matrix import crash_cell
from tests.support.sealing import SEALS, USER_ID, Installation, jobs_of, window_of

from job_history.errors import TransientError
from job_history.errors.code import Code
from job_history.ledger.status_file import PATH as STATUS
from job_history.model.event_kind import EventKind
from job_history.seals.needs import SealReport
from job_history.seals.sealing import DAYS_TO_COMPARE_ALL, SealsOfRun


@pytest.fixture
def one(tmp_path: Path) -> Installation:
    """Three hours are sealed and copied."""
    installation = Installation(tmp_path)
    for hour in range(3):
        installation.run(hour, jobs_of(hour, hour + 1))
    return installation


def lose_seals(one: Installation, *numbers: int) -> None:
    """Delete seals of the ledger, with their signatures."""
    for number in numbers:
        for path in (one.folder / "ledger" / SEALS).glob(f"{number:012d}*"):
            path.unlink()


def numbers(one: Installation) -> list[int]:
    return sorted(int(path.stem) for path in (one.folder / "ledger" / SEALS).glob("*.json"))


@pytest.mark.promise("proof-chain")
def test_key_taken_out_of_the_config_seals_nothing_without_a_status_either(one: Installation) -> None:
    one.signer = lambda: None
    one.ledger.delete(STATUS)
    report = one.run(3, {})
    assert (report.unsealed, report.problems, numbers(one)) == (1, [], [1, 2, 3])
    assert "signing_conn_id" in report.warnings[0]


def test_chain_that_another_report_began_to_sign_gets_no_unsigned_seal(tmp_path: Path) -> None:
    """The report without a key read the head before the other one sealed."""
    one = Installation(tmp_path, signer=lambda: None)
    one.run(0, {})
    before = (one.folder / "ledger" / STATUS).read_bytes()
    signing = Installation(tmp_path, now=one.now)
    signing.run(1, {})
    (one.folder / "ledger" / STATUS).write_bytes(before)
    one.now = signing.now
    assert one.run(2, {}).unsealed == 1
    assert numbers(one) == [1, 2]


@pytest.mark.promise("proof-chain")
@pytest.mark.parametrize("status_is", ["wrong", "behind", "lost"])
def test_status_decides_nothing_about_the_chain(one: Installation, status_is: str) -> None:
    path = one.folder / "ledger" / STATUS
    text = path.read_text()
    if status_is == "wrong":
        path.write_text(re.sub(r'"sha256":"[0-9a-f]{64}"', f'"sha256":"{"0" * 64}"', text))
    elif status_is == "behind":
        first = (one.folder / "ledger" / SEALS / f"{1:012d}.json").read_bytes()
        fields = json.loads(text)
        fields["accounts"]["5234/jobs"]["seals"].update(seq=1, sha256=hashlib.sha256(first).hexdigest())
        path.write_text(json.dumps(fields))
    else:
        path.unlink()
    report = one.run(3, jobs_of(3, 4))
    assert (report.problems, report.warnings, numbers(one)) == ([], [], [1, 2, 3, 4])
    assert (one.verified().code, one.ledger_verified().code) == (0, 0)


@pytest.mark.promise("proof-chain")
@crash_cell("around", "the ledger loses its newest seals", "between two reports", "the next report, from the bucket")
@pytest.mark.parametrize("with_status", [True, False])
@pytest.mark.parametrize("lost", [(3,), (2, 3), (1, 2, 3)])
def test_end_that_the_ledger_lost_is_taken_back_from_the_bucket(
    one: Installation, lost: tuple[int, ...], with_status: bool
) -> None:
    lose_seals(one, *lost)
    if not with_status:
        one.ledger.delete(STATUS)
    report = one.run(3, jobs_of(3, 4))
    assert (report.problems, report.warnings, numbers(one)) == ([], [], [1, 2, 3, 4])
    assert (one.verified().code, one.ledger_verified().code) == (0, 0)


@pytest.mark.promise("proof-chain")
@crash_cell("around", "the ledger is restored from a backup", "between two reports", "the next report, from the bucket")
@pytest.mark.parametrize("reads_again", [True, False])
def test_ledger_restored_with_its_status_takes_later_seals_back_and_forks_nothing(
    one: Installation, tmp_path: Path, reads_again: bool
) -> None:
    shutil.copytree(one.folder / "ledger", tmp_path / "backup")
    for hour in (3, 4):
        one.run(hour, jobs_of(hour, hour + 1))
    shutil.rmtree(one.folder / "ledger")
    shutil.copytree(tmp_path / "backup", one.folder / "ledger")
    hours = (3, 4, 5) if reads_again else (5,)
    reports = [one.run(hour, jobs_of(hour, hour + 1)) for hour in hours]
    assert [(report.problems, report.warnings) for report in reports] == [([], [])] * len(hours)
    assert numbers(one) == list(range(1, 6 + len(hours)))
    assert (one.verified().code, one.verified().documents) == (0, {"proven": 6})


@pytest.mark.promise("proof-chain")
@pytest.mark.parametrize("content", [b"{}", b"\xff"])
def test_forged_seal_in_the_bucket_does_not_stop_the_chain(one: Installation, content: bytes) -> None:
    (one.copy / SEALS / f"{4:012d}.json").write_bytes(content)
    report = one.run(3, jobs_of(3, 4))
    assert [Code.SEALS_OF_ANOTHER in each for each in report.problems] == [True]
    assert (report.unsealed, numbers(one), one.ledger_verified().code) == (0, [1, 2, 3, 4], 0)


@pytest.mark.promise("proof-chain")
@pytest.mark.parametrize("status_is", ["there", "lost"])
def test_clock_that_was_ahead_once_breaks_no_chain(one: Installation, status_is: str) -> None:
    right = one.now
    one.now += timedelta(days=2)
    one.run(3, jobs_of(3, 4))
    one.now = right
    if status_is == "lost":
        one.ledger.delete(STATUS)
    report = one.run(4, jobs_of(4, 5))
    assert (report.problems, len(report.warnings)) == ([], 1)
    assert "clock" in report.warnings[0]
    assert (one.verified().code, one.verified().documents) == (0, {"proven": 5})


def test_lost_end_waits_for_a_bucket_that_is_away(one: Installation) -> None:
    lose_seals(one, 3)
    one.bucket_error = TransientError("The bucket is away.")
    assert (one.run(3, {}).unsealed, numbers(one)) == (1, [1, 2])
    one.bucket_error = None
    assert (one.run(4, {}).unsealed, numbers(one)) == (0, [1, 2, 3, 4, 5])
    assert one.ledger_verified().code == 0


def test_seals_that_ledger_and_bucket_lost_are_red_until_a_person_accepts_it(one: Installation) -> None:
    lose_seals(one, 3)
    for path in (one.copy / SEALS).glob("000000000003*"):
        path.unlink()
    for hour in (3, 4):
        report = one.run(hour, {})
        assert Code.SEALS_LOST in report.problems[0]
        assert (len(report.problems), numbers(one)) == (1, [1, 2])
    one.ledger.delete(STATUS)
    report = one.run(5, {})
    assert (report.problems, report.unsealed, numbers(one)) == ([], 0, [1, 2, 3, 4, 5])


@pytest.mark.promise("proof-chain")
def test_bucket_whose_chain_has_no_start_gets_no_second_one(one: Installation) -> None:
    """A lifecycle rule deleted seal 1, and the ledger was lost: a new seal 1 would not be the one of seal 2."""
    for path in (one.copy / SEALS).glob("000000000001*"):
        path.unlink()
    shutil.rmtree(one.folder / "ledger")
    one.ledger = one.storage_of(one.folder / "ledger")
    report = one.run(3, {})
    assert Code.SEALS_OF_ANOTHER in report.problems[0]
    assert not (one.copy / SEALS / f"{1:012d}.json").exists()
    assert numbers(one) == []


def reconcile(one: Installation, days: int = DAYS_TO_COMPARE_ALL) -> list[SealReport]:
    """Reconcile on so many days; nothing new is recorded."""
    reports = []
    for _ in range(days):
        one.now += timedelta(days=1)
        seals = SealsOfRun(one.ledger, one.sealing)
        seals.look_back([(USER_ID, EventKind.JOBS)], [window_of(2)])
        reports.append(seals.seal([], one.now))
    return reports


@pytest.mark.promise("proof-delays")
@crash_cell("s3", "loses files of seals", "in the middle of the copy", "a later reconciliation")
@pytest.mark.parametrize("what", ["000000000002.json", "000000000001-*.sig", "sums/*.gz"])
def test_files_removed_from_the_middle_of_a_copy_are_reported_and_copied_again(one: Installation, what: str) -> None:
    for path in (one.copy / SEALS).glob(what):
        path.unlink()
    assert one.verified().code == 1
    problems = [each for report in reconcile(one) for each in report.problems]
    assert len(problems) == 1
    assert Code.SEALS_CUT in problems[0]
    assert (one.verified().code, reconcile(one)[0].problems) == (0, [])


def test_what_a_killed_report_left_in_the_ledger_is_no_loss_of_the_copy(one: Installation) -> None:
    (one.folder / "ledger" / SEALS / f"{2:012d}-{'ab' * 8}.sig").write_text("left")
    (one.folder / "ledger" / SEALS / "sums" / f"{'ab' * 32}.sums.gz").write_text("left")
    assert [each for report in reconcile(one) for each in report.problems + report.warnings] == []


def test_key_that_is_away_stops_no_comparison_of_a_copy(one: Installation) -> None:
    def away() -> None:
        raise TransientError("KMS is away.")

    one.signer = away
    (one.copy / SEALS / f"{2:012d}.json").unlink()
    assert [Code.SEALS_CUT in each for report in reconcile(one) for each in report.problems] == [True]
    assert [each for report in reconcile(one) for each in report.warnings] == []
