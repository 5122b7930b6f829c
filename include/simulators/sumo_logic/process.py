"""A source as a process of its own, with the same handle as the one in a thread: for the demo and for benchmarks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import requests

from .command import arguments
from .faults import Fault
from .records import Message, ReceivedRequest

_PACKAGES = Path(__file__).parents[2]
_ANSWER_SECONDS = 60
_STOP_SECONDS = 10
_MESSAGES = msgspec.json.Decoder(list[Message])
_REQUESTS = msgspec.json.Decoder(list[ReceivedRequest])


class SourceProcess:
    """A source that runs in another process; everything as in `LocalSource`, over HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.receiver_url, _, self.token = url.rpartition("/")
        self.address = url.split("/receiver/", 1)[0]

    def messages(self) -> list[Message]:
        """The stored messages, in the order of arrival."""
        return _MESSAGES.decode(self._get("messages"))

    def requests(self) -> list[ReceivedRequest]:
        """The requests, in the order of arrival."""
        return _REQUESTS.decode(self._get("requests"))

    def script(self, faults: Sequence[Fault | int]) -> None:
        """What happens to the next requests, one by one; a bare number is a status. Raises ValueError."""
        self._control("script", list(faults))

    def recover(self) -> None:
        """Forget what was scripted; what arrived stays."""
        self._control("recover", None)

    def change(self, **settings: Any) -> None:
        """Change settings while the source runs; raises ValueError."""
        self._control("settings", settings)
        if "token" in settings:
            self.token = settings["token"]
            self.url = f"{self.receiver_url}/{self.token}"

    def reset(self) -> None:
        """Forget what arrived and what was scripted."""
        self._control("reset", None)

    def _get(self, path: str) -> bytes:
        answer = requests.get(f"{self.address}/{path}", timeout=_ANSWER_SECONDS)
        answer.raise_for_status()
        return answer.content

    def _control(self, path: str, value: Any) -> None:
        body = msgspec.json.encode(value)
        answer = requests.post(f"{self.address}/_control/{path}", data=body, timeout=_ANSWER_SECONDS)
        if answer.status_code != requests.codes.ok:
            raise ValueError(answer.text)


@contextmanager
def source_process(*, port: int = 0, **settings: Any) -> Iterator[SourceProcess]:
    """Run `python -m simulators.sumo_logic` for as long as the block lasts.

    The process also ends when this one does, however that happens: it waits for the end of its standard input.
    Raises RuntimeError if it does not start; its output is on standard error.
    """
    command = [sys.executable, "-m", "simulators.sumo_logic", "--until-input-ends", "--port", str(port)]
    with subprocess.Popen(
        [*command, *arguments(settings)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": f"{_PACKAGES}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        start_new_session=True,
    ) as process:
        try:
            url = process.stdout.readline().strip() if process.stdout else ""
            if not url:
                raise RuntimeError(f"The local source did not start (exit code {process.wait(_STOP_SECONDS)})")
            yield SourceProcess(url)
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
