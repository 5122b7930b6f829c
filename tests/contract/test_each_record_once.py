"""Whatever a record's time, id and status are: it is in exactly one window, or counted as unplaceable, and the run's
colour follows.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.job_stores import SqliteStore
from tests.unit.samples import MemoryDestination, account

from job_history.accounts.variable import Accounts
from job_history.errors import PermanentError
from job_history.ledger.items import items_at
from job_history.ledger.receipt_store import read_receipt
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.pipeline.plan import plan
from job_history.pipeline.report import report
from job_history.pipeline.run_files import RunFiles
from job_history.pipeline.run_slice import SliceTools, run_slice
from job_history.storage import local_storage
from simulators.job_store import SampleJob, plain_job

START = datetime(2018, 5, 21, tzinfo=UTC)
TWO_HOURS = Window(START, START + timedelta(hours=2))
# A number may be the time of another year.
OTHER_WINDOWS = [
    Window(datetime(1, 2, 1, tzinfo=UTC), START),
    Window(TWO_HOURS.end, datetime(9999, 12, 1, tzinfo=UTC)),
]
FINAL = ("completed", "succeeded", "failed")

# In one of the two hours, at their ends and to the microsecond, with an offset, with a space, in the forms that
# programs write.
moments = st.timedeltas(timedelta(0), timedelta(hours=2) - timedelta(microseconds=1)) | st.sampled_from(
    [timedelta(0), timedelta(hours=1) - timedelta(microseconds=1), timedelta(hours=1)]
)
forms = st.sampled_from(
    [
        lambda at: at.isoformat().replace("+00:00", "Z"),
        lambda at: at.replace(tzinfo=None).isoformat(" "),
        lambda at: at.astimezone(tz=datetime.strptime("+0530", "%z").tzinfo).isoformat(),
        lambda at: f" {at:%Y-%m-%d %H:%M:%S} UTC\r",
        lambda at: at.timestamp(),
        lambda at: int(at.timestamp() * 1000),
        lambda at: f"{at:%m/%d/%Y %H:%M}",
    ]
)
times: st.SearchStrategy[Any] = st.builds(lambda form, offset: form(START + offset), forms, moments) | st.sampled_from(
    [None, "", "never", "0000-00-00 00:00:00", b"\x00", -1, 10**18, 2.5, "2018-05-21"]
)
ids: st.SearchStrategy[Any] = (
    st.integers(0, 10**18) | st.from_regex(r"j-[A-Za-z0-9]{1,8}", fullmatch=True) | st.just("a/b")
)
rows = st.lists(
    st.tuples(ids, st.sampled_from([*FINAL, "aborted"]), times), max_size=8, unique_by=lambda row: str(row[0])
)


def job(job_id: Any, status: str, completed_at: Any) -> SampleJob:
    started_at = "2018-05-20T00:00:00Z"
    return plain_job(5234, START, 1)._replace(
        job_id=job_id, status=status, started_at=started_at, completed_at=completed_at, lines=()
    )


@pytest.mark.promise("unplaceable-records", "job-window")
@settings(max_examples=60, deadline=None)
@given(rows)
def test_each_finished_job_is_in_one_window_or_unplaceable_and_the_colour_follows(
    jobs: list[tuple[Any, str, Any]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder))
        store.fill(job(*each) for each in jobs)
        staging, ledger = local_storage(Path(folder) / "staging"), local_storage(Path(folder) / "ledger")
        files, one = RunFiles(staging, "run"), account(events={"job_history": True})
        made = plan(
            run="run",
            window=TWO_HOURS,
            accounts=Accounts({5234: one}),
            chosen=[],
            destination="s3",
            source_of=lambda _account, _kind: store.source(),
            max_jobs_per_slice=100,
            planned_at="2018-05-21T02:10:00.000000Z",
        )
        files.save_plan(made)
        for slice_ in made.slices:
            tools = SliceTools(staging, ledger, 40_000_000)
            files.save_outcome(slice_, run_slice(slice_, one, store.source(), MemoryDestination(), tools))
        is_red = False
        try:
            report(
                run="run",
                destinations=["s3"],
                staging=staging,
                ledger=ledger,
                finished_at=TWO_HOURS.end,
                code_version="1",
                quarantine_threshold=0,
            )
        except PermanentError:
            is_red = True

        receipts = [read_receipt(ledger, 5234, EventKind.JOBS, hour) for hour in TWO_HOURS.hours()]
        assert all(receipt is not None and receipt.state.closed for receipt in receipts)
        items = [item for receipt in receipts if receipt for path in receipt.items for item in items_at(ledger, path)]
        unplaceable = {(each.unplaceable.count if each.unplaceable else 0) for each in receipts if each}
        final = {str(job_id) for job_id, status, _ in jobs if status in FINAL}
        times_found = Counter(item.job_id for item in items if item.job_id in final)
        assert set(times_found.values()) <= {1}
        assert len(unplaceable) == 1
        in_others = [each for other in OTHER_WINDOWS for each in store.source().ids(5234, other) if each in final]
        [missing] = unplaceable
        assert len(times_found) + len(in_others) + missing == len(final)
        quarantined = sum(item.outcome == "quarantined" for item in items)
        assert is_red == bool(quarantined or missing)
