"""Redrive to an HTTP source, which cannot recognise a repeat: it gets what it has not, and once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from tests.support.mortal_storage import KilledError
from tests.support.one_hour import replicate
from tests.support.sumo_logic_sender import Sender, joined
from tests.unit.samples import EXAMPLE_KEY, HOUR, MemorySource, account, record, slice_of

from job_history.destinations import Destination
from job_history.ledger.receipt_files import receipt_files
from job_history.model.event_kind import EventKind
from job_history.model.slice import Slice
from job_history.pipeline.run_slice import SliceTools
from job_history.redrive import Redriven, redrive
from job_history.storage import Storage, local_storage
from simulators.sumo_logic import LocalSource, local_source

LONG_HANDLE = "j-" + 148 * "x"
LONG_KEY = f"5234/jobs/234/20180521/{LONG_HANDLE}/5234-234-{LONG_HANDLE}-20180521000000-succeeded.json"


class LedgerOfTheKilled(Storage):
    """A ledger whose process is killed when it is about to write a receipt: all was delivered, and nothing is
    recorded.
    """

    def create(self, path: str, content: bytes) -> bool:
        if receipt_files([path]):
            raise KilledError
        return super().create(path, content)


@pytest.fixture
def source() -> Iterator[LocalSource]:
    with local_source() as running:
        yield running


@pytest.mark.promise("redrive-to-sumo-logic")
def test_a_redrive_that_was_killed_before_its_receipt_sends_nothing_twice(
    source: LocalSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staging = tmp_path / "staging"
    ledger = local_storage(tmp_path / "ledger")
    killed = LedgerOfTheKilled(ledger.files, ledger.root)

    def sender(slice_: Slice) -> Destination:
        return Sender(tmp_path / "ledger", source.url, slice=slice_).destination()

    def redriven(ledger: Storage) -> Redriven:
        tools = SliceTools(local_storage(staging), ledger, 40_000_000, skip_delivered=True)
        now = datetime(2018, 6, 1, tzinfo=UTC)
        return redrive(account(), EventKind.JOBS, HOUR, sender, tools, replace=False, finished_at=now, code_version="2")

    with monkeypatch.context() as then:
        then.setattr("job_history.model.ids.MAX_HANDLE_LENGTH", 100)
        records = [record(), record(job_id=LONG_HANDLE)]
        replicate(account(), MemorySource(records), sender(slice_of()), ledger, local_storage(staging))
    assert joined(source).keys() == {EXAMPLE_KEY}

    with pytest.raises(KilledError):
        redriven(killed)
    assert joined(source).keys() == {EXAMPLE_KEY, LONG_KEY}
    reported = redriven(ledger)

    assert (reported.already_present, reported.left, str(reported.state)) == (1, {}, "complete")
    sent = [msgspec.json.decode(message.text)["replication"]["delivery_id"] for message in source.messages()]
    assert Counter(sent) == {EXAMPLE_KEY: 1, LONG_KEY: 1}
