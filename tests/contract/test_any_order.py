"""Whatever happens to the runs of a day, in any order: in the end the destinations have what the source has."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from tests.support.mortal_storage import KilledError
from tests.support.places import in_the_main_thread
from tests.support.runs import STEPS, Run, Runs
from tests.support.scripted_s3 import Answer, Refusal, Reset, ScriptedS3, Served, scripted_s3
from tests.support.world import BUCKET, World, accounts_of

from job_history.errors import PermanentError
from job_history.ledger.open_windows import OpenWindows
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_files import receipt_files, window_folder
from job_history.ledger.status_file import read_status
from job_history.model.event_kind import EventKind
from job_history.model.timestamp import parse_time
from job_history.model.window import Window
from job_history.pipeline.run_files import RunFiles
from simulators.job_store import SampleJob, plain_job
from simulators.sumo_logic import Fault, LocalSource, local_source, reset_after_ingest, reset_before_ingest, timed_out

S3_USER, SUMO_LOGIC_USER = 5001, 6001
START = datetime(2018, 5, 21, tzinfo=UTC)
DAY = Window(START, START + timedelta(hours=4))
HOURS = list(DAY.hours())
MICROSECOND = timedelta(microseconds=1)

users = st.sampled_from([S3_USER, SUMO_LOGIC_USER])
hours = st.sampled_from(HOURS)
# Where one window ends and the next one begins, and at either end of a second.
moments = st.sampled_from(
    [timedelta(0), MICROSECOND, timedelta(seconds=1) - MICROSECOND, timedelta(hours=1) - MICROSECOND]
)
ends = moments | st.timedeltas(timedelta(0), timedelta(hours=1) - MICROSECOND)
statuses = st.sampled_from(["completed", "succeeded", "failed", "cancelled"])
modes = st.sampled_from(["missing_only", "missing_only", "repair"])
any_modes = st.sampled_from(["missing_only", "repair", "reconciliation"])
at_the_bucket: st.SearchStrategy[list[Answer]] = st.lists(
    st.sampled_from(
        [
            Served(),
            Served(),
            Refusal(403, "AccessDenied"),
            Refusal(409, "ConditionalRequestConflict"),
            Refusal(500, "InternalError"),
            Refusal(503, "SlowDown"),
            Reset(),
            Reset(after_storing=True),
        ]
    ),
    max_size=6,
)
at_sumo_logic: st.SearchStrategy[list[Fault | int]] = st.lists(
    st.sampled_from([200, 200, 401, 408, 429, 500, reset_before_ingest(), reset_after_ingest(), timed_out()]),
    max_size=6,
)
# Where tasks are killed, one after another, each the first or second time that one passes there.
places = st.sampled_from(
    [
        "after count",
        "after unplaceable",
        "after list",
        "record",
        "after stage",
        "before load",
        "after put",
        "before post",
        "after post",
        "after acknowledgement",
        "before outcome",
        "after outcome",
        "before close",
        "before report",
    ]
)
# Where one run is when another run of the same hour begins and ends.
overlaps = st.sampled_from(
    ["after list", "before load", "before post", "after post", "after acknowledgement", "before close", "before report"]
)


class Misfortune(NamedTuple):
    """What goes wrong in a run: the answers to its first requests, where its tasks are killed, how often each is
    tried.
    """

    s3: list[Answer]
    sumo_logic: list[Fault | int]
    deaths: list[tuple[str, int]]
    tries: int


misfortunes = st.builds(
    Misfortune,
    at_the_bucket,
    at_sumo_logic,
    st.lists(st.tuples(places, st.integers(1, 2)), max_size=3),
    st.integers(1, 2),
)


class AnyOrder(RuleBasedStateMachine):
    """Jobs appear at any time after they ended, be it that the run of their hour saw them or not."""

    def __init__(self, s3: ScriptedS3, sumo_logic: LocalSource) -> None:
        super().__init__()
        for endpoint in (s3, sumo_logic):
            endpoint.reset()
        self.folder = tempfile.TemporaryDirectory(prefix="any-order-")
        self.world = World(Path(self.folder.name), accounts_of([S3_USER], [SUMO_LOGIC_USER]), s3, sumo_logic)
        self.numbers = count(1)
        self.done: list[Run] = []
        self.forgotten: list[SampleJob] = []
        self.deaths: list[tuple[str, int]] = []
        self.meanwhile: tuple[str, Callable[[], object]] | None = None

    @initialize(of=st.lists(st.tuples(users, hours, ends, statuses), min_size=2, max_size=6))
    def jobs_that_are_there_from_the_start(self, of: list[tuple[int, Window, timedelta, str]]) -> None:
        for user_id, hour, end, status in of:
            self.a_job_appears(user_id, hour, end, status)

    @rule(user_id=users, hour=hours, end=ends, status=statuses)
    def a_job_appears(self, user_id: int, hour: Window, end: timedelta, status: str) -> None:
        ended = hour.start + end
        began = ended.replace(microsecond=0) - timedelta(minutes=90)
        job = plain_job(user_id, hour.start, next(self.numbers))._replace(
            status=status,
            started_at=f"{began:%Y-%m-%dT%H:%M:%SZ}",
            completed_at=ended.isoformat().replace("+00:00", "Z"),
        )
        # A fraction's zeros at its end are dropped.
        fraction = job.completed_at.removesuffix("Z").rstrip("0") if "." in (job.completed_at or "") else None
        self.world.add([job._replace(completed_at=f"{fraction}Z") if fraction else job])

    @rule(user_id=users)
    def a_finished_job_without_a_time_appears(self, user_id: int) -> None:
        """No window contains it, and nothing delivers it: the plan of each run counts it."""
        self.world.add([plain_job(user_id, DAY.start, next(self.numbers))._replace(completed_at=None)])

    @precondition(lambda self: self.world.jobs)
    @rule(which=st.integers(0, 100))
    def the_source_forgets_a_job(self, which: int) -> None:
        job = self.world.jobs[which % len(self.world.jobs)]
        self.world.forget([job])
        self.forgotten.append(job)

    @precondition(lambda self: self.forgotten)
    @rule()
    def the_source_shows_again_what_it_forgot(self) -> None:
        self.world.add(self.forgotten)
        self.forgotten.clear()

    @rule(user_id=users, hour=hours, mode=modes, misfortune=misfortunes)
    def a_receipt_is_damaged_while_its_hour_is_run(
        self, user_id: int, hour: Window, mode: str, misfortune: Misfortune
    ) -> None:
        """It is restored from a backup afterwards. Nothing writes over it meanwhile."""
        folder = window_folder(user_id, EventKind.JOBS, hour)
        files = receipt_files(self.world.ledger.paths(folder)).get(folder)
        if files is None:
            return
        path = files.paths[0]
        content, damaged = self.world.ledger.read(path) or b"", b'{"read_at": "yest'
        self.world.ledger.write(path, damaged)
        self.an_hour_is_run(hour, mode, misfortune)
        assert self.world.ledger.read(path) == damaged
        assert receipt_files(self.world.ledger.paths(folder))[folder] == files
        self.world.ledger.write(path, content)

    @rule(hour=hours, mode=modes, misfortune=misfortunes)
    def an_hour_is_run(self, hour: Window, mode: str, misfortune: Misfortune) -> None:
        self.is_run(Run(f"run-{next(self.numbers)}", hour, mode=mode), misfortune)

    @rule(first=st.integers(0, 3), misfortune=misfortunes)
    def several_hours_are_run_at_once(self, first: int, misfortune: Misfortune) -> None:
        self.is_run(Run(f"run-{next(self.numbers)}", Window(HOURS[first].start, DAY.end)), misfortune)

    @rule(hour=hours, first=modes, second=any_modes, place=overlaps, misfortune=misfortunes)
    def two_runs_of_an_hour_are_at_it_at_once(
        self, hour: Window, first: str, second: str, place: str, misfortune: Misfortune
    ) -> None:
        """The second begins and ends while the first is at this place."""
        other = Run(f"run-{next(self.numbers)}", hour, mode=second)

        def do_other() -> None:
            self.done.append(other)
            with suppress(PermanentError):
                self.world.runs().do(other)

        self.meanwhile = place, do_other
        try:
            self.an_hour_is_run(hour, first, misfortune)
        finally:
            self.meanwhile = None

    @precondition(lambda self: self.done)
    @rule(which=st.integers(0, 100), step=st.sampled_from(STEPS), misfortune=misfortunes)
    def a_run_is_cleared(self, which: int, step: str, misfortune: Misfortune) -> None:
        """An old one too, whose hour others have done since; its failed slices go on where they stopped, or begin
        again.
        """
        run = self.done[which % len(self.done)]
        self.goes_wrong(misfortune, lambda runs: runs.clear(run, step))

    @precondition(lambda self: self.done)
    @rule(which=st.integers(0, 100), hours_off=st.sampled_from([-3, 0, 3]))
    def a_run_is_reported_again(self, which: int, hours_off: int) -> None:
        """By a worker whose clock may be wrong: a closed window stays closed, and no revision is changed."""
        run = self.done[which % len(self.done)]
        before, closed = self.revisions(), self.closed_windows()
        at, run.at = run.at, run.at + timedelta(hours=hours_off)
        try:
            self.goes_wrong(Misfortune([], [], [], 1), lambda runs: runs.do_report(run))
        finally:
            run.at = at
        assert before.items() <= self.revisions().items()
        assert closed <= self.closed_windows()

    def revisions(self) -> dict[str, bytes | None]:
        ledger = self.world.ledger
        return {path: ledger.read(path) for path in ledger.paths("receipts") if receipt_files([path])}

    def closed_windows(self) -> set[tuple[int, Window]]:
        everything = {(user_id, hour) for hour in HOURS for user_id in self.world.accounts.usable}
        return everything - set(self.world.open_windows(HOURS))

    @rule(misfortune=misfortunes)
    def the_day_is_reconciled(self, misfortune: Misfortune) -> None:
        self.is_run(Run(f"run-{next(self.numbers)}", DAY, mode="reconciliation"), misfortune)

    @rule(misfortune=misfortunes)
    def only_the_last_hour_is_reconciled(self, misfortune: Misfortune) -> None:
        """Windows that failed before it are run too: they are marked."""
        self.is_run(Run(f"run-{next(self.numbers)}", HOURS[-1], mode="reconciliation"), misfortune)

    def is_run(self, run: Run, misfortune: Misfortune) -> None:
        self.done.append(run)
        self.goes_wrong(misfortune, lambda runs: runs.do(run))

    def goes_wrong(self, misfortune: Misfortune, do: Callable[[Runs], object]) -> None:
        self.world.s3.answer("PUT", *misfortune.s3)
        self.world.sumo_logic.script(misfortune.sumo_logic)
        self.deaths = list(misfortune.deaths)
        try:
            do(self.world.runs(passes=in_the_main_thread(self.passes), tries=misfortune.tries))
        except (PermanentError, KilledError):
            pass  # red; the window is open, and the end of this test closes it
        finally:
            self.world.s3.recover()
            self.world.sumo_logic.recover()
            self.deaths = []

    def passes(self, place: str) -> None:
        if self.meanwhile is not None and self.meanwhile[0] == place:
            (_, do), self.meanwhile = self.meanwhile, None
            do()
        if not self.deaths or self.deaths[0][0] != place:
            return
        place, left = self.deaths.pop(0)
        if left == 1:
            raise KilledError(place)
        self.deaths.insert(0, (place, left - 1))

    def teardown(self) -> None:
        """The last reconciliation of the day, in which nothing goes wrong: what is not there by now is delivered by
        it. What the source forgot is there again: of that nothing is delivered twice, whether or not it was known.

        A run that was killed before its report is cleared some day, and reports then.
        """
        for run in self.done:
            with suppress(PermanentError):
                self.world.runs().do_report(run)
        self.world.add(self.forgotten)
        self.world.runs().do(Run("the last", DAY, mode="reconciliation"))
        self.world.assert_nothing_is_missing(HOURS)
        for hour in HOURS:
            assert self.sent_twice(hour) <= self.counted_as_repeated(hour), f"repeats of {hour} are not counted"
        status = read_status(self.world.ledger)
        assert status is not None
        assert (OpenWindows(self.world.ledger).windows, status.open, status.gap) == (set(), 0, 0)
        self.assert_jobs_without_a_time_are_counted()
        self.folder.cleanup()

    def sent_twice(self, hour: Window) -> int:
        """Return how many documents of an hour the Sumo Logic source has more than once, whole or in part."""
        ended = {str(job.job_id): parse_time(job.completed_at) for job in self.world.jobs if job.completed_at}
        texts = Counter(message.text for message in self.world.sumo_logic.messages())
        repeats = {
            msgspec.json.decode(text)["replication"]["delivery_id"] for text, number in texts.items() if number > 1
        }
        return sum(ended[key.rpartition("/")[2].split("-")[2]] in hour for key in repeats)

    def counted_as_repeated(self, hour: Window) -> int:
        """Return how many repeats the runs of an hour have counted, each at the most in any revision."""
        folder = window_folder(SUMO_LOGIC_USER, EventKind.JOBS, hour)
        repeated: dict[str, int] = {}
        for path in self.world.ledger.paths(folder):
            if receipt_files([path]):
                receipt = msgspec.json.decode(self.world.ledger.read(path) or b"", type=Receipt)
                for entry in receipt.runs:
                    repeated[entry.run] = max(repeated.get(entry.run, 0), entry.counts.repeated)
        return sum(repeated.values())

    def assert_jobs_without_a_time_are_counted(self) -> None:
        run = Run("count", HOURS[0], mode="repair")
        for kind in run.kinds:
            self.world.runs().plan(run, kind)
        plans = [RunFiles(self.world.staging, run.name).plan(kind) for kind in run.kinds]
        found = {
            planned.user_id: planned.unplaceable.count
            for made in plans
            if made is not None
            for planned in made.windows
            if planned.unplaceable is not None
        }
        assert found == Counter(
            job.user_id for job in self.world.jobs if job.completed_at is None and job.status != "cancelled"
        )


@pytest.fixture
def endpoints() -> Iterator[tuple[ScriptedS3, LocalSource]]:
    with scripted_s3(BUCKET) as s3, local_source() as sumo_logic:
        yield s3, sumo_logic


# A task that is really killed leaves no half-written list for the garbage collector to close.
@pytest.mark.promise("any-order", "unplaceable-records")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.timeout(300)
def test_in_the_end_the_destinations_have_what_the_source_has(endpoints: tuple[ScriptedS3, LocalSource]) -> None:
    run_state_machine_as_test(
        lambda: AnyOrder(*endpoints),
        settings=settings(
            max_examples=30, stateful_step_count=12, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )


@pytest.mark.promise("any-order")
def test_a_job_that_appears_between_a_kill_and_the_next_try(endpoints: tuple[ScriptedS3, LocalSource]) -> None:
    """Its request has the number of one that was acknowledged, and other bytes: it must not be taken for that."""
    day = AnyOrder(*endpoints)
    day.a_job_appears(SUMO_LOGIC_USER, HOURS[0], timedelta(minutes=20), "completed")
    # The first note is of a try that is under way, the second one of the request.
    deaths = [("after acknowledgement", 2), ("before extract", 1)]  # in the convoy, then in its own chain
    killed = Misfortune(s3=[], sumo_logic=[], deaths=deaths, tries=1)
    day.an_hour_is_run(HOURS[0], "missing_only", killed)
    assert len(day.world.sumo_logic.messages()) == 1
    assert (SUMO_LOGIC_USER, HOURS[0]) in day.world.open_windows(HOURS[:1])
    day.a_job_appears(SUMO_LOGIC_USER, HOURS[0], timedelta(minutes=10), "completed")

    day.a_run_is_cleared(0, "extract", Misfortune(s3=[], sumo_logic=[], deaths=[], tries=1))

    day.teardown()
