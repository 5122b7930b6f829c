"""What limits the time and the memory of a report that seals: witnesses that hang, windows that wait, buckets away."""

from __future__ import annotations

import functools
import gc
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.support.sealed_archive import HOUR, START
from tests.support.sealing import Installation, window_of

from job_history.errors import TransientError
from job_history.ledger.receipt_store import read_receipt, record
from job_history.ledger.status_file import SealHead
from job_history.model.event_kind import EventKind
from job_history.seals.needs import Sealing, Witness
from job_history.seals.order import in_order
from job_history.seals.sealing import seal_windows
from job_history.seals.to_seal import ChainToSeal, of_chains
from job_history.seals.unsealed import find_unsealed, unsealed_windows
from job_history.seals.window_seal import Revision
from job_history_verify.layout import ChainId


@pytest.fixture
def one(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.mark.promise("no-account-waits")
def test_witnesses_that_hang_hold_a_report_for_a_limited_time_each_hour_in_another_order(
    one: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("job_history.seals.sealing.CHAINS_AT_ONCE", 2)
    seconds, asked, lock = [0.0], list[int](), threading.Lock()

    def hang(user_id: int, _: bytes) -> None:
        with lock:
            seconds[0] += 100
            asked.append(user_id)
        raise TransientError("no answer in time")

    def witness_of(user_id: int) -> Witness:
        return Witness(f"audit-{user_id}", functools.partial(hang, user_id))

    sealing = Sealing(lambda: None, lambda _: None, witness_of)
    asked_of_hours: list[set[int]] = []
    heads: dict[str, SealHead] = {}
    for hour in range(4):
        asked.clear()
        now = START + (hour + 1) * HOUR
        recorded = [record(one.ledger, replace(one.receipt(hour, {}, "run"), user_id=each)) for each in range(1, 21)]
        report = seal_windows(one.ledger, sealing, of_chains(recorded), heads, now, clock=lambda: seconds[0])

        assert (report.problems, report.unsealed, len(report.warnings)) == ([], 0, 20)
        assert sum("The next report shows them." in each for each in report.warnings) == 20 - len(asked)
        assert len(asked) <= 3
        asked_of_hours.append(set(asked))
        heads = report.heads

    assert len(set.union(*asked_of_hours)) > 3


def away() -> None:
    raise TransientError("KMS is away.")


def leave_unsealed(one: Installation, hours: int, users: range = range(1, 21)) -> None:
    """Record windows while the key is away."""
    recorded = [
        record(one.ledger, replace(one.receipt(hour, {}, "run"), user_id=each))
        for hour in range(hours)
        for each in users
    ]
    report = seal_windows(one.ledger, Sealing(away, lambda _: None), of_chains(recorded), {}, one.now)
    assert report.unsealed == len(recorded)


def test_receipts_of_windows_that_wait_are_read_at_once_and_not_while_the_key_is_away(
    one: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_unsealed(one, hours=2)
    readers: list[str] = []

    def noted(*window: object) -> object:
        readers.append(threading.current_thread().name)
        return read_receipt(*window)  # type: ignore[arg-type]

    monkeypatch.setattr("job_history.seals.to_seal.read_receipt", noted)

    report = seal_windows(one.ledger, Sealing(away, lambda _: None), [], {}, one.now)
    assert (report.unsealed, readers) == (40, [])
    assert {each.partition(": ")[2] for each in report.warnings} == {"2 windows are not sealed: KMS is away."}

    report = seal_windows(one.ledger, Sealing(lambda: None, lambda _: None), [], {}, one.now)
    assert (report.unsealed, report.warnings, len(readers)) == (0, [], 40)
    assert threading.current_thread().name not in readers


@pytest.mark.promise("no-account-waits")
def test_windows_that_wait_hold_a_report_for_a_limited_time_and_all_are_sealed_in_the_end(
    one: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_unsealed(one, hours=2)
    monkeypatch.setattr("job_history.seals.sealing.CHAINS_AT_ONCE", 2)
    seconds, lock = [0.0], threading.Lock()

    def slow() -> float:
        with lock:
            seconds[0] += 20
        return seconds[0]

    sealing, heads, unsealed = Sealing(lambda: None, lambda _: None), dict[str, SealHead](), [40]
    for hour in range(2, 40):
        recorded = [record(one.ledger, replace(one.receipt(hour, {}, "run"), user_id=each)) for each in (1, 20)]
        report = seal_windows(one.ledger, sealing, of_chains(recorded), heads, one.now + hour * HOUR, clock=slow)

        assert report.problems == []
        assert find_unsealed(one.ledger, 20, EventKind.JOBS, window_of(hour)) == []
        assert report.unsealed is not None
        assert max(unsealed[-1] - 16, 0) <= report.unsealed < unsealed[-1]
        assert any(f"{report.unsealed} windows" in each for each in report.warnings) is (report.unsealed > 0)
        heads = report.heads
        unsealed.append(report.unsealed)
        if not report.unsealed:
            break

    assert (len(unsealed) > 2, unsealed[-1], unsealed_windows(one.ledger)) == (True, 0, [])


def test_revisions_whose_bucket_failed_before_wait_packed(one: Installation) -> None:
    def chains() -> Iterator[ChainToSeal]:
        for each in range(1, 101):
            receipt = replace(one.receipt(0, {}, "run"), user_id=each)
            yield ChainToSeal(ChainId(each, "jobs"), [Revision(receipt, is_new=True, sha256="3f")], [])

    hints = {f"{each}/jobs": SealHead(seq=1, sha256="3f", not_copied_since=START) for each in range(1, 101)}
    in_turn = {hour: in_order(chains(), hints, START + hour * HOUR) for hour in range(2)}

    first = next(in_turn[0])
    gc.collect()
    assert sum(isinstance(each, Revision) for each in gc.get_objects()) < 10
    orders = [[first, *in_turn[0]], list(in_turn[1])]
    assert orders[0] != orders[1]
    assert [sorted(order) for order in orders] == [list(chains())] * 2
