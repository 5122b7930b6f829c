"""Keeps what was read before a task ended, so that its next try does not send the same requests again.

A portion is a staged file, and beside it a small one, the note, which marks it as complete and describes it. A portion
is a recipe's jobs of the window, up to a hundred of them with lines, or the window's admin events.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from job_history.storage import Storage, local_storage
from job_history.storage.staging import StagedWriter, staged_records, staged_writer

Kept = TypeVar("Kept", bound=msgspec.Struct)


class Checkpoint:
    """The portions of one slice's reading, in a folder of the staging area."""

    def __init__(self, storage: Storage, folder: str) -> None:
        """`folder` must differ for every slice, and for settings under which other things would be read."""
        self._storage = storage
        self._folder = folder

    def note(self, portion: str, kind: type[Kept]) -> Kept | None:
        """Return the note of a portion, or None if it is not complete, or damaged: then it is read again."""
        content = self._storage.read(f"{self._folder}/{portion}.json")
        with suppress(msgspec.DecodeError, UnicodeDecodeError):
            return None if content is None else msgspec.json.decode(content, type=kind)
        return None

    @contextmanager
    def writer(self, portion: str) -> Iterator[StagedWriter]:
        with staged_writer(self._storage, self._path(portion)) as staged:
            yield staged

    def keep(self, portion: str, note: msgspec.Struct) -> None:
        """Mark a portion as complete."""
        self._storage.write(f"{self._folder}/{portion}.json", msgspec.json.encode(note))

    def forget(self, portion: str) -> None:
        """Mark a portion as one to be read again."""
        self._storage.delete(f"{self._folder}/{portion}.json")

    def records(self, portion: str, record_type: type[Kept]) -> Iterator[Kept]:
        return staged_records(self._storage, self._path(portion), record_type)

    def clear(self) -> None:
        self._storage.delete_below(self._folder)

    def _path(self, portion: str) -> str:
        return f"{self._folder}/{portion}.jsonl.zst"


@contextmanager
def checkpoint_or_passing(checkpoint: Checkpoint | None) -> Iterator[Checkpoint]:
    """Return the checkpoint; if there is none, one that lasts as long as the block."""
    if checkpoint is not None:
        yield checkpoint
        return
    with tempfile.TemporaryDirectory() as folder:
        yield Checkpoint(local_storage(Path(folder)), "reading")
