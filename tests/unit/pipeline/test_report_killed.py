"""A report that is killed between any two writes: the next one ends as if nothing had happened."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.crash_matrix import crash_cell
from tests.support.mortal_storage import KilledError, Life, MortalStorage
from tests.unit.samples import HOUR, RUN, account, outcome, slice_of

from job_history.errors import PermanentError
from job_history.errors.code import Code
from job_history.ledger.item import Item
from job_history.ledger.items import ListHeader, item_writer, items_at
from job_history.ledger.known_accounts import KnownAccounts, read_known_accounts
from job_history.ledger.outcome import Outcome
from job_history.ledger.receipt_history import read_history
from job_history.model.event_kind import EventKind
from job_history.model.slice import Slice
from job_history.pipeline.report import report
from job_history.pipeline.results import Plan, PlannedWindow, SliceOutcome
from job_history.pipeline.run_files import Failure, RunFiles
from job_history.storage import Storage, local_storage

FINISHED = datetime(2018, 5, 21, 2, tzinfo=UTC)
OPEN, CLOSED = 5234, 77


def slice_of_run(user_id: int, run: str) -> Slice:
    return slice_of(user_id=user_id, run=run)


def delivered(ledger: Storage, slice_: Slice, numbers: range) -> SliceOutcome:
    """Write the list of a slice that delivered these documents, and return its outcome."""
    made = outcome(slice_, delivered=len(numbers))
    made.items_path = made.items_path.replace("5234", str(slice_.user_id))
    with item_writer(ledger, made.items_path, ListHeader(slice_.user_id, slice_.kind, HOUR, made.destination)) as items:
        for number in numbers:
            items.append(Item(str(number), "2018-05-21T00:00:10Z", Outcome.DELIVERED, key=f"{number}", sha256="1"))
    return made


class World:
    """Two accounts whose run ended: one closes the window, where its source has pruned; the other one failed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledger, self.staging = local_storage(folder / "ledger"), local_storage(folder / "staging")
        self.run("earlier", range(4))
        self.report("earlier")
        self.run(RUN, range(2, 5), failed=True)

    def run(self, name: str, documents: range, *, failed: bool = False) -> None:
        files = RunFiles(self.staging, name)
        slices = [slice_of_run(user_id, name) for user_id in (OPEN, CLOSED)]
        windows = [
            PlannedWindow(
                user_id=slice_.user_id,
                name="Acme",
                window=HOUR,
                enabled=True,
                counted=None,
                slices=[slice_],
                settings_hash="1",
                destination={"type": "memory", "bucket": "memory"},
            )
            for slice_ in slices
        ]
        known = KnownAccounts.of([account(user_id=user_id, name=name) for user_id in (OPEN, CLOSED)]).settings
        both = [OPEN, CLOSED]
        files.save_plan(Plan(name, "s3", HOUR, windows, [], both, both, settings=known, whole_list=True))
        files.save_outcome(slices[1], delivered(self.ledger, slices[1], documents))
        if failed or name == "earlier":
            files.save_failure(slices[0], Failure("load", "no bucket"))

    def report(self, name: str = RUN, life: Life | None = None) -> str:
        """Report a run, and return what its report says is wrong."""
        alive = life or Life(-1)
        try:
            report(
                run=name,
                destinations=["s3"],
                staging=MortalStorage(self.folder / "staging", alive),
                ledger=MortalStorage(self.folder / "ledger", alive),
                finished_at=FINISHED,
                code_version="0",
                quarantine_threshold=100,
            )
        except PermanentError as red:
            return str(red)
        return ""

    def state(self) -> dict[str, Any]:
        """All that the report is responsible for, without the random parts of names."""
        histories = {user_id: read_history(self.ledger, user_id, EventKind.JOBS, HOUR) for user_id in (OPEN, CLOSED)}
        newest = histories[CLOSED][-1]
        return {
            "revisions": {
                user_id: [(each.revision, each.state, each.counts, each.faults) for each in history]
                for user_id, history in histories.items()
            },
            "runs": [(entry.run, entry.state, entry.shrank_from) for entry in newest.runs],
            "documents": sorted(item.job_id for path in newest.items for item in items_at(self.ledger, path)),
            "marks": sorted(self.ledger.paths("_control/open")),
            "accounts": read_known_accounts(self.ledger),
            "status": re.sub(rb'"generated_at":"[^"]*"', b"", self.ledger.read("_control/status.json") or b""),
            "staged": sorted(self.staging.paths("")),
        }


@pytest.mark.promise("receipts-are-revisions")
@crash_cell("killed", "the report, also while it carries items forward", "between any two writes", "tried again")
def test_a_report_killed_between_any_two_writes_ends_the_same_when_it_is_tried_again(tmp_path: Path) -> None:
    undisturbed = World(tmp_path / "undisturbed")
    red = undisturbed.report()
    assert "no bucket" in red
    expected = undisturbed.state()
    assert [each[2].gone for each in expected["revisions"][CLOSED]] == [0, 2]
    steps, killed = 0, 0
    while steps == killed:
        steps += 1
        again = World(tmp_path / str(steps))
        with suppress(KilledError):
            again.report(life=Life(steps))
            break
        killed += 1
        assert again.report() == red
        assert again.state() == expected, f"killed at step {steps}"
    assert killed > 12


@pytest.mark.promise("receipts-never-forget", "failures-stay")
@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(
            content,
            code,
            marks=crash_cell("around", f"an item list of the ledger is {what}", "while it is carried forward", by),
        )
        for by in ["restored, and the report tried again"]
        for content, code, what in [
            (None, Code.LEDGER_FILE_MISSING, "lost"),
            (b"PAR1 cut off", Code.LEDGER_FILE_DAMAGED, "damaged"),
        ]
    ],
)
def test_an_item_list_that_cannot_be_read_forgets_nothing_and_stops_its_account_alone(
    tmp_path: Path, content: bytes | None, code: Code
) -> None:
    undisturbed, world = World(tmp_path / "undisturbed"), World(tmp_path / "world")
    red = undisturbed.report()
    before = world.state()
    [lost] = read_history(world.ledger, CLOSED, EventKind.JOBS, HOUR)[-1].items
    whole = world.ledger.read(lost) or b""
    if content is None:
        world.ledger.delete(lost)
    else:
        world.ledger.write(lost, content)

    problems = world.report()

    assert code in problems
    assert world.ledger.url(lost) in problems
    world.ledger.write(lost, whole)
    meanwhile = world.state()
    assert meanwhile["revisions"][CLOSED] == before["revisions"][CLOSED]
    assert len(meanwhile["revisions"][OPEN]) == 2

    assert world.report() == red
    assert world.state() == undisturbed.state()
