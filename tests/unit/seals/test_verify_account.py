"""An account's bucket is held against what the ledger knows of its seals."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.sealing import KEYS, SEALS, USER_ID, Installation, jobs_of, window_of

from job_history.errors import TransientError
from job_history.seals.verify_account import AccountVerified, verify_account
from job_history_verify.judge import Range
from job_history_verify.verdicts import Verdict
from job_history_verify.verify import Options

ALL_HOURS = Range()


def verified(one: Installation, hours: Range = ALL_HOURS) -> AccountVerified:
    account = one.sealing.place_of(USER_ID)
    assert account is not None
    return verify_account(USER_ID, account.open(), one.ledger, Options(keys=KEYS, hours=hours))


def verdicts(answer: AccountVerified) -> set[str]:
    return {finding.verdict.value for finding in answer.found}


def exit_code(answer: AccountVerified) -> int:
    return answer.findings.exit_code(strict=False, allow_unsigned=False)


@pytest.fixture
def three_hours(tmp_path: Path) -> Installation:
    one = Installation(tmp_path)
    for hour in range(3):
        one.run(hour, jobs_of(hour, hour + 1))
    return one


def test_bucket_with_all_seals_of_the_ledger_is_proven(three_hours: Installation) -> None:
    answer = verified(three_hours)
    assert (exit_code(answer), answer.found, dict(answer.findings.documents)) == (0, [], {"proven": 3})
    assert [head.partition(":")[0] for head in answer.heads] == ["5234/jobs/3"]


@pytest.mark.promise("proof-chain")
def test_seals_cut_off_at_the_end_of_the_bucket_are_found_without_a_witness(three_hours: Installation) -> None:
    for path in (three_hours.copy / SEALS).glob("000000000003*"):
        path.unlink()
    answer = verified(three_hours)
    assert (exit_code(answer), verdicts(answer)) == (1, {"cut off", "not judged"})
    shutil.rmtree(three_hours.copy / "_control")
    assert "cut off" in verdicts(verified(three_hours))


@pytest.mark.promise("proof-delays")
def test_window_that_waits_for_its_seal_is_unsealed(three_hours: Installation) -> None:
    def away() -> None:
        raise TransientError("KMS is away.")

    three_hours.signer = away
    three_hours.run(3, {})
    assert (exit_code(verified(three_hours)), verdicts(verified(three_hours))) == (1, {"unsealed"})
    before = verified(three_hours, Range(until=window_of(3).start))
    assert (exit_code(before), verdicts(before)) == (0, set())


@pytest.mark.promise("proof-chain")
@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        (lambda path: path.write_text(path.read_text().replace('"delivered": 1', '"delivered": 2')), "modified"),
        (lambda path: path.unlink(), "missing"),
        (lambda path: shutil.copy(path, path.with_name("r000002.json")), "unsealed"),
        (lambda path: (shutil.rmtree(path.parents[2]), path.parents[2].write_text("a file")), "could not check"),
    ],
)
def test_receipt_that_was_changed_in_the_ledger_is_found(
    three_hours: Installation, change: Callable[[Path], object], verdict: str
) -> None:
    change(sorted((three_hours.folder / "ledger/receipts").rglob("r000001.json"))[1])
    answer = verified(three_hours)
    assert (exit_code(answer), verdicts(answer)) == (2 if verdict == "could not check" else 1, {verdict})
    assert dict(answer.findings.documents) == {"proven": 3}


def test_account_for_messages_is_verified_in_the_ledger(tmp_path: Path) -> None:
    one = Installation(tmp_path, description={"type": "sumo_logic", "target": "collectors.example/abc"})
    one.run(0, jobs_of(0, 1))
    answer = verified(one)
    assert (exit_code(answer), dict(answer.findings.documents)) == (0, {"not checkable": 1})
    next((one.folder / "ledger/receipts").rglob("r000001.json")).write_text("{}")
    assert verdicts(verified(one)) == {"modified"}


def test_bucket_that_is_away_is_a_finding_with_the_reason_alone(three_hours: Installation) -> None:
    (three_hours.copy / "_control").rename(three_hours.folder / "control")
    (three_hours.copy / "_control").write_text("a file, where a folder was")
    (found,) = [each for each in verified(three_hours).found if each.verdict is Verdict.COULD_NOT_CHECK]
    assert found.detail.startswith("Cannot list file://")
