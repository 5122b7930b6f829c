"""A report that is killed between any two writes of a seal: the next one seals each revision, and there is no fork."""

from __future__ import annotations

import json
import multiprocessing
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from tests.support.crash_matrix import crash_cell
from tests.support.mortal_storage import KilledError, Life, MortalStorage
from tests.support.sealing import Installation, jobs_of

from job_history.ledger.status_file import PATH as STATUS

HOURS = 2


def sealed_revisions(one: Installation) -> Counter[tuple[str, int]]:
    seals = [json.loads(path.read_bytes()) for path in sorted((one.copy / "_control/seals/5234/jobs").glob("*.json"))]
    assert [seal["seq"] for seal in seals] == list(range(1, len(seals) + 1))
    return Counter((seal["window"]["start"], seal["receipt"]["revision"]) for seal in seals)


@pytest.mark.promise("proof-chain")
@crash_cell("killed", "the report, while it seals", "between any two writes", "tried again")
def test_report_killed_at_any_step_seals_each_revision_once(tmp_path: Path) -> None:
    steps = 1
    while was_killed(tmp_path / str(steps), steps):
        steps += 1
    # Two hours: revision, sums, signature, seal and mark in the ledger; sums, signature and seal in the bucket.
    assert steps > 2 * 2 * 8


def was_killed(folder: Path, step: int) -> bool:
    """Report two hours, killed at this step, then again; False if the report has fewer steps."""
    one = Installation(folder)
    one.run(0, jobs_of(0, 9))
    for hour in range(1, 1 + HOURS):
        one.deliver(jobs_of(hour, hour + 1))
    receipts = [one.receipt(hour, jobs_of(hour, hour + 1), "run") for hour in range(1, 1 + HOURS)]
    life = Life(step)
    mortal = Installation(folder, storage_of=lambda folder: MortalStorage(folder, life))
    mortal.now = one.now
    with suppress(KilledError):
        mortal.report(receipts)
    if life.steps_left > 0:
        return False
    one.report(receipts)
    result = one.verified()
    assert (result.code, result.documents, result.hours) == (0, {"proven": 3}, {"proven": 3}), step
    assert one.ledger_verified().code == 0, step
    assert set(sealed_revisions(one).values()) == {1}, step
    assert len(list((folder / "ledger/receipts").rglob("*.sealed"))) == 1 + HOURS, step
    return True


@crash_cell("killed", "the report, and the status is lost", "after its seal, before its mark", "tried again")
def test_status_that_is_lost_between_kill_and_retry_breaks_no_chain(tmp_path: Path) -> None:
    one = Installation(tmp_path)
    one.deliver(jobs_of(0, 1))
    receipt = one.receipt(0, jobs_of(0, 1), "run")
    one.report([receipt])
    one.ledger.delete(STATUS)
    for path in (tmp_path / "ledger/receipts").rglob("*.sealed"):
        path.unlink()
    one.report([receipt])
    assert one.verified().code == 0


def report_in_a_process(folder: Path, name: str, barrier: object) -> None:
    one = Installation(folder)
    receipts = [one.receipt(hour, jobs_of(hour, hour + 1), name) for hour in range(HOURS)]
    barrier.wait()  # type: ignore[attr-defined]
    one.report(receipts)


@pytest.mark.promise("proof-chain")
@crash_cell("around", "two reports seal at once", "50 times", "nothing to do")
@pytest.mark.timeout(300)
def test_pairs_of_reports_at_once_seal_each_revision_and_fork_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    for pair in range(50):
        folder = tmp_path / str(pair)
        one = Installation(folder)
        for hour in range(HOURS):
            one.deliver(jobs_of(hour, hour + 1))
        barrier = context.Barrier(2)
        names = ("run", "run") if pair % 2 else ("one", "other")
        processes = [context.Process(target=report_in_a_process, args=(folder, name, barrier)) for name in names]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
            assert process.exitcode == 0
        # A third report finds what the two left: nothing, or a copy that the other one's seals were missing from.
        one.report([])
        result = one.verified()
        assert (result.code, result.hours) == (0, {"proven": HOURS}), (pair, result.findings)
        assert set(sealed_revisions(one).values()) == {1}
        assert one.ledger_verified().code == 0
