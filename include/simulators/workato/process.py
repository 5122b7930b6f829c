"""An API as a process of its own, with the same handle as the one in a thread: for the demo."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import requests

from .command import Started, arguments
from .faults import Fault
from .records import ReceivedRequest

_PACKAGES = Path(__file__).parents[2]
_ANSWER_SECONDS = 60
_STOP_SECONDS = 10
_REQUESTS = msgspec.json.Decoder(list[ReceivedRequest])
_NOW = msgspec.json.Decoder(dict[str, datetime])


class WorkatoProcess:
    """An API that runs in another process; everything as in `LocalWorkato`, over HTTP.

    `tokens` are those of the workspaces, by user_id; `partner_token` is that of the partner whose customers they all
    are.
    """

    def __init__(self, started: Started) -> None:
        self.url = started.url
        self.tokens = started.tokens
        self.partner_token = started.partner_token

    @property
    def now(self) -> datetime:
        """The simulated time; set it, and it stands still there. Raises ValueError for a time without offset."""
        return _NOW.decode(self._control("clock", {}))["now"]

    @now.setter
    def now(self, now: datetime) -> None:
        self._control("clock", {"now": now})

    def advance(self, seconds: float) -> None:
        """Move the simulated time on."""
        self._control("clock", {"advance": seconds})

    def requests(self) -> list[ReceivedRequest]:
        """The requests, in the order of arrival."""
        answer = requests.get(f"{self.url}/_control/requests", timeout=_ANSWER_SECONDS)
        answer.raise_for_status()
        return _REQUESTS.decode(answer.content)

    def script(self, faults: Sequence[Fault | int]) -> None:
        """What happens to the next requests, one by one; a bare number is a status. Raises ValueError."""
        self._control("script", list(faults))

    def change(self, **settings: Any) -> None:
        """Change settings while the API runs; raises ValueError."""
        self._control("settings", settings)

    def reset(self) -> None:
        """Forget the requests, what was scripted, and what was used of the quotas."""
        self._control("reset", None)

    def _control(self, path: str, value: Any) -> bytes:
        body = msgspec.json.encode(value)
        answer = requests.post(f"{self.url}/_control/{path}", data=body, timeout=_ANSWER_SECONDS)
        if answer.status_code != requests.codes.ok:
            raise ValueError(answer.text)
        return answer.content


@contextmanager
def workato_process(
    store: Path, *, now: datetime | None = None, port: int = 0, **settings: Any
) -> Iterator[WorkatoProcess]:
    """Run `python -m simulators.workato` over a SQLite job store for as long as the block lasts.

    The process also ends when this one does, however that happens: it waits for the end of its standard input.
    Raises RuntimeError if it does not start; its output is on standard error.
    """
    command = [sys.executable, "-m", "simulators.workato", "--until-input-ends", f"--store={store}", f"--port={port}"]
    if now is not None:
        command.append(f"--now={now.isoformat()}")
    with subprocess.Popen(
        [*command, *arguments(settings)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": f"{_PACKAGES}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        start_new_session=True,
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            if not line:
                raise RuntimeError(f"The local Workato API did not start (exit code {process.wait(_STOP_SECONDS)})")
            yield WorkatoProcess(msgspec.json.decode(line, type=Started))
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
