"""A source as a process of its own, with the same handle as the one in a thread: for the demo and for benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from simulators.stand_in.process import StandInProcess, stand_in_process

from .records import Message, ReceivedRequest

_MESSAGES = msgspec.json.Decoder(list[Message])
_REQUESTS = msgspec.json.Decoder(list[ReceivedRequest])


class SourceProcess(StandInProcess):
    """A source that runs in another process; everything as in `LocalSource`, over HTTP."""

    def __init__(self, url: str) -> None:
        super().__init__(url.split("/receiver/", 1)[0])
        self.url = url
        self.receiver_url, _, self.token = url.rpartition("/")

    def messages(self) -> list[Message]:
        """The stored messages, in the order of arrival."""
        return _MESSAGES.decode(self._get("messages"))

    def requests(self) -> list[ReceivedRequest]:
        """The requests, in the order of arrival."""
        return _REQUESTS.decode(self._get("requests"))

    def change(self, **settings: Any) -> None:
        """Change settings while the source runs; raises ValueError."""
        super().change(**settings)
        if "token" in settings:
            self.token = settings["token"]
            self.url = f"{self.receiver_url}/{self.token}"


@contextmanager
def source_process(**settings: Any) -> Iterator[SourceProcess]:
    """Run `python -m simulators.sumo_logic` for as long as the block lasts: see `stand_in_process`."""
    with stand_in_process("simulators.sumo_logic", [], settings) as url:
        yield SourceProcess(url)
