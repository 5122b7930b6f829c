"""Several loads of one window at the same time, in any order of their steps, some killed: each repeat is counted."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tests.support.crash_matrix import crash_cell
from tests.support.mortal_storage import KilledError
from tests.support.places import watched_session
from tests.support.sumo_logic_sender import SLICE, joined, wide_document

from job_history.destinations import Delivery
from job_history.destinations.messages.batches import Framing
from job_history.destinations.messages.delivery import MessageDestination
from job_history.destinations.sumo_logic import HttpSource, endpoint_of, target_of
from job_history.destinations.sumo_logic.encoder import SumoLogicEncoder
from job_history.documents.staged import StagedDocument
from job_history.http.session import http_session
from job_history.ledger.acknowledgements import Acknowledgements
from job_history.model.slice import Slice
from job_history.storage import local_storage
from simulators.sumo_logic import LocalSource, local_source

MAX_MESSAGE_BYTES, MAX_BATCH_BYTES = 8_000, 10_000
# One of three requests, one that shares a request with others, and so on.
DOCUMENTS = [wide_document(number, size) for number, size in enumerate((500, 22_000, 300, 900, 2_500, 4_000), start=1)]
FINAL = "the last run"


@pytest.fixture(scope="module")
def source() -> Iterator[LocalSource]:
    with local_source() as running:
        yield running


class SteppedStorage:
    """A ledger whose every request is a step of its load."""

    def __init__(self, storage: Any, step: Callable[[], None]) -> None:
        self._storage, self._step = storage, step

    def url(self, path: str) -> str:
        return str(self._storage.url(path))

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._storage, name)

        def stepped(*arguments: Any) -> Any:
            self._step()
            result = method(*arguments)
            result = list(result) if name in {"paths", "read_all"} else result
            self._step()
            return result

        return stepped


class Load:
    """A load in a thread of its own, which goes on only while `go` is called."""

    def __init__(self, folder: Path, source: LocalSource, run: str, *, stepped: bool = True) -> None:
        self.reported: dict[str, Delivery] = {}
        self.ended = False
        self.is_killed = False
        self._may_go, self._waits = threading.Semaphore(0), threading.Semaphore(0)
        step = self._step if stepped else lambda: None
        client = HttpSource(
            endpoint_of(host=None, password=source.url), watched_session(http_session(), lambda _: step())
        )
        slice_ = Slice(**{name: getattr(SLICE, name) for name in SLICE.__struct_fields__} | {"run": run})
        ledger: Any = SteppedStorage(local_storage(folder), step)
        acknowledgements = Acknowledgements(ledger, slice_, target_of(client.endpoint, {}))
        encoder = SumoLogicEncoder(MAX_MESSAGE_BYTES, framing=Framing(max_batch_bytes=MAX_BATCH_BYTES))
        self._destination = MessageDestination(client, encoder, acknowledgements)
        self._thread = threading.Thread(target=self.run, daemon=True)

    def run(self) -> None:
        reported: dict[str, Delivery] = {}

        def note(document: StagedDocument, how: Delivery, _: str | None = None, /) -> None:
            reported[document.key] = how

        with suppress(KilledError):
            self._destination.deliver(iter(DOCUMENTS), note)
            self.reported = reported
        self.ended = True
        self._waits.release()

    def start(self) -> None:
        self._thread.start()
        self._waits.acquire()

    def go(self) -> None:
        """Let it take one more step, and wait until it has."""
        if not self.ended:
            self._may_go.release()
            self._waits.acquire()

    def kill(self) -> None:
        """End it where it is: what it has sent and written stays, and nothing else happens."""
        self.is_killed = True
        self.go()
        while not self.ended:
            self.go()

    def _step(self) -> None:
        if self.is_killed:
            raise KilledError
        self._waits.release()
        self._may_go.acquire()
        if self.is_killed:
            raise KilledError


def copies(source: LocalSource) -> Counter[str]:
    """The maximum number of equal messages of each document."""
    messages = Counter(message.text for message in source.messages())
    found: Counter[str] = Counter()
    for text, number in messages.items():
        [key] = [document.key for document in DOCUMENTS if f'"delivery_id":"{document.key}"' in text]
        found[key] = max(found[key], number)
    return found


REPEATED = {Delivery.REPEATED, Delivery.REPEATED_BEFORE}


def repeated(*loads: Load) -> set[str]:
    """The documents that these loads have reported as repeated; one that was killed has reported nothing."""
    return {key for load in loads for key, how in load.reported.items() if how in REPEATED}


def loads_at_once(source: LocalSource, order: list[int], kills: dict[int, int], runs: list[str]) -> None:
    """Take steps in this order; `kills`: after how many steps of its own a load is killed."""
    source.reset()
    with TemporaryDirectory(prefix="at-once-") as folder:
        loads = [Load(Path(folder), source, run) for run in runs]
        for load in loads:
            load.start()
        taken: Counter[int] = Counter()

        def go(number: int) -> None:
            if taken[number] == kills.get(number):
                loads[number].kill()
            loads[number].go()
            taken[number] += 1

        for number in order:
            go(number)
        for number, load in enumerate(loads):
            while not load.ended:
                go(number)
        last = Load(Path(folder), source, FINAL, stepped=False)
        last.run()

    assert joined(source) == {document.key: document.content() for document in DOCUMENTS}
    assert last.reported.keys() == {document.key for document in DOCUMENTS}
    twice = {key for key, number in copies(source).items() if number > 1}
    assert twice <= repeated(*loads, last)
    if not any(load.is_killed for load in loads):
        assert twice <= repeated(*loads)


@pytest.mark.promise("acknowledgements", "two-runs-at-once")
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.lists(st.lists(st.integers(0, 1), min_size=8, max_size=8), max_size=12).map(
        lambda each: list(chain(*each))
    ),
    kills=st.dictionaries(st.integers(0, 1), st.integers(0, 40)),
    runs=st.sampled_from([["hourly", "reconciliation"], ["hourly", "hourly"]]),
)
@example(order=[0, 1] * 60, kills={}, runs=["hourly", "reconciliation"])
@example(order=[0, 1] * 60, kills={}, runs=["hourly", "hourly"])
@example(order=[0] * 16 + [1] * 100, kills={}, runs=["hourly", "reconciliation"])
@example(order=[0] * 16 + [1] * 28 + [0] * 100, kills={}, runs=["hourly", "reconciliation"])
@example(order=[0] * 12 + [1] * 100, kills={0: 20}, runs=["hourly", "reconciliation"])
def test_each_repeat_of_two_loads_at_once_is_counted(
    source: LocalSource, order: list[int], kills: dict[int, int], runs: list[str]
) -> None:
    loads_at_once(source, order, kills, runs)


@pytest.mark.promise("acknowledgements")
def test_two_loads_one_after_the_other_repeat_nothing(source: LocalSource) -> None:
    loads_at_once(source, [0] * 200, {}, ["hourly", "reconciliation"])

    assert max(copies(source).values()) == 1


@pytest.mark.promise("acknowledgements", "crash-matrix")
@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(
            steps,
            marks=crash_cell("killed", "one of two loads at once is killed", f"{at}, to Sumo Logic", "nothing to do"),
        )
        for at, steps in {
            "before its mark": 4,
            "before post": 10,
            "after post": 11,
            "after acknowledgement": 13,
        }.items()
    ],
)
def test_one_load_is_killed_while_another_closes_the_window(source: LocalSource, steps: int) -> None:
    """They take turns until then."""
    loads_at_once(source, [0, 1] * (steps + 1), {0: steps}, ["hourly", "reconciliation"])
