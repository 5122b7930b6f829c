"""An API as a process of its own, with the same handle as the one in a thread: for the demo."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from simulators.stand_in.process import StandInProcess, stand_in_process

from .command import Started
from .records import ReceivedRequest

_REQUESTS = msgspec.json.Decoder(list[ReceivedRequest])
_NOW = msgspec.json.Decoder(dict[str, datetime])


class WorkatoProcess(StandInProcess):
    """An API that runs in another process; everything as in `LocalWorkato`, over HTTP.

    `tokens` are those of the workspaces, by user_id; `partner_token` is that of the partner whose customers they all
    are.
    """

    def __init__(self, started: Started) -> None:
        super().__init__(started.url)
        self.url = started.url
        self.tokens = started.tokens
        self.partner_token = started.partner_token

    @property
    def now(self) -> datetime:
        """The simulated time; if it is set, it stops there. Raises ValueError for a time without offset."""
        return _NOW.decode(self._control("clock", {}))["now"]

    @now.setter
    def now(self, now: datetime) -> None:
        self._control("clock", {"now": now})

    def advance(self, seconds: float) -> None:
        """Move the simulated time on."""
        self._control("clock", {"advance": seconds})

    def requests(self) -> list[ReceivedRequest]:
        """The requests, in the order of arrival."""
        return _REQUESTS.decode(self._get("_control/requests"))


@contextmanager
def workato_process(store: Path, *, now: datetime | None = None, **settings: Any) -> Iterator[WorkatoProcess]:
    """Run `python -m simulators.workato` over a SQLite job store for as long as the block lasts: see
    `stand_in_process`.
    """
    options = [f"--store={store}", *([] if now is None else [f"--now={now.isoformat()}"])]
    with stand_in_process("simulators.workato", options, settings) as line:
        yield WorkatoProcess(msgspec.json.decode(line, type=Started))
