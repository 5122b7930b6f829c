"""A storage whose process is killed at a step of the test's choice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from job_history.storage import Storage, local_storage


class KilledError(BaseException):
    """A process was killed. No `except Exception` of the project catches it, as nothing catches SIGKILL."""


@dataclass
class Life:
    """Ends at the n-th step: each write, creation and deletion is one before it is done, and one after."""

    steps_left: int

    def step(self) -> None:
        self.steps_left -= 1
        if self.steps_left == 0:
            raise KilledError


class MortalStorage(Storage):
    """Files in a folder, for a process with this life."""

    def __init__(self, folder: Path, life: Life) -> None:
        mortal = local_storage(folder)
        super().__init__(mortal.files, mortal.root)
        self._life = life

    def write(self, path: str, content: bytes) -> None:
        self._life.step()
        super().write(path, content)
        self._life.step()

    def create(self, path: str, content: bytes) -> bool:
        self._life.step()
        created = super().create(path, content)
        self._life.step()
        return created

    def delete(self, path: str) -> None:
        self._life.step()
        super().delete(path)
        self._life.step()

    @contextmanager
    def writer(self, path: str) -> Iterator[BinaryIO]:
        self._life.step()
        with super().writer(path) as file:
            yield file
            self._life.step()
        self._life.step()
