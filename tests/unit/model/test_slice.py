"""Slices and run folders: how they are called."""

import re

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.samples import DAY, slice_of

from job_history.model.slice import Slice, run_folder
from job_history.model.window import Window

FIRST_HALF = Window(DAY, DAY.replace(minute=30))


def test_a_slice_travels_as_plain_values() -> None:
    one = slice_of(FIRST_HALF, number=1, of=2)
    assert one.as_dict() == {
        "run": "scheduled-2018-05-21T00-00-00",
        "user_id": 5234,
        "name": "Acme",
        "kind": "jobs",
        "window": {"start": "2018-05-21T00:00:00Z", "end": "2018-05-21T01:00:00Z"},
        "part": {"start": "2018-05-21T00:00:00Z", "end": "2018-05-21T00:30:00Z"},
        "number": 1,
        "of": 2,
        "redriven": False,
    }
    # What the UI adds for its own sake is passed over.
    assert Slice.from_dict({**one.as_dict(), "label": one.label}) == one


def test_what_a_whole_window_and_a_part_are_called() -> None:
    whole, part = slice_of(), slice_of(FIRST_HALF, number=1, of=2)
    assert [whole.label, part.label] == ["5234 Acme 2018-05-21T00:00:00Z", "5234 Acme 2018-05-21T00:00:00Z 1/2"]
    window = "account 5234 Acme, window [2018-05-21T00:00:00Z, 2018-05-21T01:00:00Z)"
    assert [whole.about, part.about] == [
        window,
        f"{window}, part 1 of 2 [2018-05-21T00:00:00Z, 2018-05-21T00:30:00Z)",
    ]
    assert part.folder == "runs/scheduled-2018-05-21T00-00-00/5234/jobs/20180521T000000Z-20180521T010000Z/0001"


@given(st.text(), st.text())
def test_a_run_folder_is_a_plain_name_and_the_runs_own(one: str, other: str) -> None:
    folders = [run_folder("dag", one), run_folder("dag", other)]
    assert all(re.fullmatch(r"[A-Za-z0-9-]{9,89}", folder) for folder in folders)
    assert (folders[0] == folders[1]) == (one == other)


def test_a_run_folder_can_be_recognised() -> None:
    folder = run_folder("job_history_replication", "scheduled__2018-05-21T01:00:00+00:00")
    assert re.fullmatch(r"scheduled-2018-05-21T01-00-00-00-00-[0-9a-f]{8}", folder)
    assert folder != run_folder("job_history_reconciliation", "scheduled__2018-05-21T01:00:00+00:00")
