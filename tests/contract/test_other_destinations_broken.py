"""Azure, Google, Splunk, Datadog and a plain receiver: a load that is killed or refused, and what completes it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from tests.support import sqlite_store
from tests.support.azure import Azurite, azurite
from tests.support.crash_matrix import crash_cell
from tests.support.google_storage import google_storage
from tests.support.large_jobs import EXPECTED, START, TAKEN, USER_ID, jobs
from tests.support.other_destinations import NAMES, OBJECT_STORES, RECEIVERS, OtherDestination, documents_in
from tests.support.receivers import local_receivers
from tests.support.steps import WHOLE_RUN, Death, Setting, run_steps
from tests.support.world import keys_of

from job_history.model.window import Window
from job_history.storage import local_storage

LASTING = 1_000  # requests


@pytest.fixture(scope="module")
def filled_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sqlite_store.filled_store(tmp_path_factory.mktemp("store") / "jobs.sqlite", jobs())


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@dataclass
class Place:
    """A destination of one kind, and its server."""

    other: OtherDestination
    server: Any

    def break_next(self, *faults: object) -> None:
        (self.server.failures if self.other.keeps_objects else self.server.faults)[:] = faults

    def documents(self) -> dict[str, bytes]:
        if self.other.kind == "azure_blob":
            client = self.server.service().get_container_client(self.other.container)
            return {blob.name: client.download_blob(blob.name).readall() for blob in client.list_blobs()}
        if self.other.kind == "google_storage":
            return {key: found.content for key, found in self.server.buckets[self.other.container].items()}
        return documents_in(self.server.stored)


@pytest.fixture
def place(kind: str, request: pytest.FixtureRequest) -> Iterator[Place]:
    with ExitStack() as stack:
        container = f"acme-{uuid4()}"
        if kind == "azure_blob":
            server = request.getfixturevalue("emulator")
            server.service().create_container(container)
            yield Place(OtherDestination(kind, server.url, container), server)
        elif kind == "google_storage":
            storage = stack.enter_context(google_storage())
            storage.create_bucket(container)
            yield Place(OtherDestination(kind, storage.address, container), storage)
        else:
            receivers = stack.enter_context(local_receivers())
            receivers.truncate = 1_000_000
            yield Place(OtherDestination(kind, receivers.address), receivers)


@pytest.fixture
def setting(tmp_path: Path, filled_store: Path, place: Place) -> Setting:
    hour = Window(START, START + timedelta(hours=1))
    return Setting.below(tmp_path, filled_store, USER_ID, hour, other=place.other)


def recover(setting: Setting, recovery: str) -> None:
    if recovery == "tried again":
        assert run_steps(setting, WHOLE_RUN[WHOLE_RUN.index("load") :]) == (0, "")
        return
    results = Path(f"{setting.results}-of-another")
    results.mkdir()
    assert run_steps(replace(setting, run="run-2", results=str(results)), WHOLE_RUN) == (0, "")


def assert_complete(setting: Setting, place: Place) -> None:
    assert place.documents() == EXPECTED
    receipt = setting.receipt()
    assert receipt is not None
    assert keys_of(receipt, local_storage(Path(setting.ledger))) == list(EXPECTED)
    assert receipt.counts.filtered == {"aborted": 1}


def cells(group: str, kinds: tuple[str, ...], named: dict[str, Any], what: str, at: str) -> list[object]:
    return [
        pytest.param(
            kind,
            broken,
            recovery,
            marks=[
                crash_cell(group, what.format(name), at.format(name, NAMES[kind]), recovery),
                *([pytest.mark.azure] if kind == "azure_blob" else []),
            ],
            id=f"{kind}-{name}-{recovery}",
        )
        for kind in kinds
        for name, broken in named.items()
        for recovery in ("tried again", "run again")
    ]


PUTS = {each: Death("load", each, TAKEN // 2) for each in ("before put", "after put")}
POSTS = {each: Death("load", each, 2) for each in ("before post", "after post")}
ANSWERS_OF_GOOGLE = {"403": 403, "404": 404, "429": 429, "500": 500, "503": 503}
ANSWERS = {"401": 401, "403": 403, "404": 404, "413": 413, "429": 429, "500": 500, "503": 503, "408": 408}
NOT_STORED = {"a page to log in, with 200": (200, "<html>Please log in</html>")}
LOST = {"connection reset, what was sent stored": "lost"}


@pytest.mark.promise("crash-matrix")
@pytest.mark.parametrize(
    ("kind", "death", "recovery"),
    [
        *cells("killed", OBJECT_STORES, PUTS, "load is killed", "{0}, to {1}"),
        *cells("killed", RECEIVERS, POSTS, "load is killed", "{0}, to {1}"),
    ],
)
def test_killed_load_is_completed(setting: Setting, place: Place, death: Death, recovery: str) -> None:
    assert run_steps(setting, WHOLE_RUN, death) == (-signal.SIGKILL, "")
    assert setting.receipt() is None

    recover(setting, recovery)

    assert_complete(setting, place)


@pytest.mark.promise("crash-matrix")
@pytest.mark.parametrize(
    ("kind", "fault", "recovery"),
    [
        *cells("others", ("google_storage",), ANSWERS_OF_GOOGLE | LOST, "{0}", "each request after the sixth, to {1}"),
        *cells("others", RECEIVERS, ANSWERS | LOST, "{0}", "each request after the first, to {1}"),
        *cells("others", RECEIVERS[:2], NOT_STORED, "{0}", "each request after the first, to {1}"),
    ],
)
def test_refused_load_is_completed(setting: Setting, place: Place, fault: object, recovery: str) -> None:
    before = [None] * (TAKEN // 2 if place.other.keeps_objects else 1)
    place.break_next(*before, *[fault] * LASTING)
    exit_code, printed = run_steps(setting, WHOLE_RUN)
    assert exit_code == 1
    assert (place.other.container or place.other.kind) in printed
    assert setting.receipt() is None

    place.break_next()
    recover(setting, recovery)

    assert_complete(setting, place)
