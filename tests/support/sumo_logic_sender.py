"""What the contract suites of the Sumo Logic destination send with, and how they look at what arrived."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from job_history.destinations.sumo_logic import (
    RETRIES,
    Batch,
    HttpSource,
    SumoLogicDestination,
    batches,
    endpoint_of,
    join_each,
    messages_of,
    target_of,
)
from job_history.destinations.sumo_logic.encoder import SumoLogicEncoder
from job_history.documents.staged import StagedDocument
from job_history.http.retry import Retries
from job_history.http.session import http_session
from job_history.ledger.acknowledgements import Acknowledgements
from job_history.model.slice import Slice
from job_history.model.timestamp import epoch_milliseconds, parse_time
from job_history.model.window import Window
from job_history.storage import local_storage
from simulators.sumo_logic import LocalSource

HOUR = Window(datetime(2018, 5, 21, tzinfo=UTC), datetime(2018, 5, 21, 1, tzinfo=UTC))
SLICE = Slice(run="scheduled-2018-05-21T01", user_id=5234, name="Acme", window=HOUR, part=HOUR)
MOMENT = "2018-05-21T00:00:10Z"


@dataclass
class Sender:
    """Makes destinations as tries of one task would: each new, all with the ledger in `folder`.

    `slept` is what they waited.
    """

    folder: Path
    url: str
    host: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    retries: Retries = field(default_factory=lambda: replace(RETRIES, attempts=3))
    timeout: tuple[float, float] = (5, 5)
    slice: Slice = SLICE
    repair: bool = False
    slept: list[float] = field(default_factory=list)

    def client(self, **options: Any) -> HttpSource:
        return HttpSource(
            endpoint_of(host=self.host, password=self.url),
            http_session(),
            headers=self.headers,
            retries=self.retries,
            timeout=self.timeout,
            sleep=self.slept.append,
            jitter=lambda: 0.0,
            **options,
        )

    def destination(self, **options: Any) -> SumoLogicDestination:
        client = self.client(**options)
        target = target_of(client.endpoint, client.headers)
        ledger = local_storage(self.folder)
        return SumoLogicDestination(client, Acknowledgements(ledger, self.slice, target, repair=self.repair))

    def of_run(self, run: str, **changes: Any) -> Sender:
        """Return a sender as another run of the same window has it."""
        return replace(self, slice=msgspec.structs.replace(self.slice, run=run), **changes)


def wide_document(job_id: int, size: int, *, completed_at: str = MOMENT) -> StagedDocument:
    """A document of about `size` bytes, with lines, and characters of several bytes at every place."""
    line = {"recipe_line_number": 0, "adapter_name": "clock", "output": {"text": 'Zoë "größer" \\ 数据 🚀 ' * 40}}
    lines = [{**line, "recipe_line_number": number} for number in range(size // len(msgspec.json.encode(line)) + 1)]
    body = msgspec.json.encode({"id": job_id, "flow_id": 234, "completed_at": completed_at, "lines": lines})
    return StagedDocument(
        key=f"5234/jobs/234/20180521/{job_id}/5234-234-{job_id}-20180521000000-succeeded.json",
        job_id=job_id,
        completed_at=completed_at,
        sha256=hashlib.sha256(body + b"\n").hexdigest(),
        body=msgspec.Raw(body),
    )


def batches_of(documents: Iterable[StagedDocument]) -> list[Batch]:
    """The requests that these documents make."""

    def messages() -> Iterator[bytes]:
        for document in documents:
            yield from messages_of(
                document.content(),
                delivery_id=document.key,
                timestamp_ms=epoch_milliseconds(parse_time(document.completed_at)),
            )

    return list(batches(messages(), SumoLogicEncoder().framing))


def joined(source: LocalSource) -> dict[str, bytes]:
    """The documents that the source has, put together from its messages; repeats are allowed."""
    return dict(join_each(message.text.encode() for message in source.messages()))


def bodies(source: LocalSource) -> list[bytes]:
    """What each request stored, in the order of arrival."""
    numbers = dict.fromkeys(message.request for message in source.messages())
    return [
        b"".join(message.text.encode() + b"\n" for message in source.messages() if message.request == number)
        for number in numbers
    ]


# They make three requests: the first two documents in one, the third over all three, the last two at the end.
DOCUMENTS = [
    wide_document(number, size) for number, size in enumerate((4_000, 70_000, 2_000_000, 900, 20_000), start=1)
]
