"""A stand-in as a process of its own, with the same handle as one in a thread: for the demo and for benchmarks."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import requests

from .command import arguments

_PACKAGES = Path(__file__).parents[2]
_ANSWER_SECONDS = 60
_STOP_SECONDS = 10


class StandInProcess:
    """What every stand-in in a process can be asked over HTTP, at `address` (`http://127.0.0.1:PORT`)."""

    def __init__(self, address: str) -> None:
        self.address = address

    def script(self, faults: Sequence[msgspec.Struct | int]) -> None:
        """What happens to the next requests, one by one; a bare number is a status. Raises ValueError."""
        self._control("script", list(faults))

    def change(self, **settings: Any) -> None:
        """Change settings while it runs; raises ValueError."""
        self._control("settings", settings)

    def reset(self) -> None:
        """Forget what came in and what was scripted."""
        self._control("reset", None)

    def _get(self, path: str) -> bytes:
        answer = requests.get(f"{self.address}/{path}", timeout=_ANSWER_SECONDS)
        answer.raise_for_status()
        return answer.content

    def _control(self, path: str, value: Any) -> bytes:
        body = msgspec.json.encode(value)
        answer = requests.post(f"{self.address}/_control/{path}", data=body, timeout=_ANSWER_SECONDS)
        if answer.status_code != requests.codes.ok:
            raise ValueError(answer.text)
        return answer.content


@contextmanager
def stand_in_process(module: str, options: Sequence[str], settings: Mapping[str, Any]) -> Iterator[str]:
    """Run `python -m module` for as long as the block lasts, and yield the line that it prints when it is ready.

    The process also ends when this one does, however that happens: it waits for the end of its standard input.
    Raises RuntimeError if it does not start; its output is on standard error.
    """
    with subprocess.Popen(
        [sys.executable, "-m", module, "--until-input-ends", *options, *arguments(settings)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": f"{_PACKAGES}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        start_new_session=True,
    ) as process:
        try:
            line = process.stdout.readline().strip() if process.stdout else ""
            if not line:
                raise RuntimeError(f"{module} did not start (exit code {process.wait(_STOP_SECONDS)})")
            yield line
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
