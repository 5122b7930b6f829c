"""What a storage needs of the place that keeps its files: a folder, or a bucket by one client or another."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol

from job_history.errors import ReplicationError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer


class ObjectExistsError(Exception):
    """A create met an object, or (409) another request for the key. `refused` is the store's answer as an error."""

    def __init__(self, refused: ReplicationError) -> None:
        super().__init__(str(refused))
        self.refused = refused


class Entry(NamedTuple):
    """A file or an object as a listing shows it.

    `size` in bytes; `e_tag` is another text once the file was written again; `written` in UTC. `version_id`: of the
    object in a bucket that keeps versions; a listing does not show it.
    """

    path: str
    size: int
    e_tag: str | None
    written: datetime
    version_id: str | None = None


class Written(NamedTuple):
    """What the store answers to a PUT: ETag and version of the object, if it has them."""

    e_tag: str | None
    version_id: str | None


class Files(Protocol):
    """Files below one root. A write is seen whole or not at all.

    Raises OSError, or a ReplicationError of the store. A missing file is FileNotFoundError, or None where noted.
    """

    is_local: bool

    def write(self, path: str, content: bytes) -> None: ...

    def create(self, path: str, content: bytes) -> bool:
        """Write a file that does not exist yet; returns False if it exists. Of several at once, one succeeds."""
        ...

    def read(self, path: str) -> bytes | None:
        """Return the content; None if there is no such file."""
        ...

    def open_writer(self, path: str) -> AbstractContextManager[BinaryIO]: ...

    def open_reader(self, path: str) -> AbstractContextManager[BinaryIO]: ...

    def entries(self, below: str) -> Iterator[Entry]: ...

    def delete(self, path: str) -> None:
        """Delete a file; does nothing if there is none."""
        ...

    def delete_unfinished(self, below: str) -> None: ...


class GuardedFile(io.RawIOBase):
    """A file whose own errors are converted by `errors`; those of the block that uses it are not."""

    def __init__(self, file: Any, errors: Callable[[], AbstractContextManager[None]]) -> None:
        super().__init__()
        self._file = file
        self._errors = errors
        self._abandoned = False

    def writable(self) -> bool:
        return hasattr(self._file, "write")

    def readable(self) -> bool:
        return hasattr(self._file, "read")

    def write(self, content: Buffer) -> int:
        if self._abandoned:
            return len(memoryview(content))
        with self._errors():
            return int(self._file.write(content))

    def abandon(self) -> None:
        """Drop what is written from now on: writers that are closed late, by the garbage collector, write an end."""
        self._abandoned = True

    def read(self, size: int | None = -1) -> bytes:
        with self._errors():
            # Some of the files take None for "all", and no negative number.
            return bytes(self._file.read(None if size is None or size < 0 else size))
