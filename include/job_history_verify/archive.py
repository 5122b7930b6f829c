"""Where the files of an archive are: a folder here; `job_history` has one for buckets."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO, Protocol

# Most documents are smaller. A larger buffer costs more than it saves: it is allocated for each file.
_BLOCK_BYTES = 32_768
MAX_DOCUMENT_BYTES = 1 << 28
# A named pipe would be waited for.
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


class Archive(Protocol):
    """Files by key, with `/`. Errors are OSError; a file that cannot be read is never taken for one that is missing."""

    name: str
    is_local: bool

    def keys(self, below: str = "", without: tuple[str, ...] = ()) -> Iterator[str]:
        """List the files below a folder, in the order of the keys' bytes; none below the folders `without`."""
        ...

    def folders(self, below: str, depth: int) -> Iterator[str]:
        """List the folders so many levels below one, relative to it, in any order."""
        ...

    def read(self, key: str) -> bytes | None:
        """Return the content; None if there is no such file."""
        ...

    @contextmanager
    def opened(self, key: str) -> Iterator[BinaryIO | None]:
        """Open a file to stream it; None if there is no such file."""
        ...

    def digests(self, keys: Iterable[str]) -> Iterator[bytes | OSError | None]:
        """Yield the SHA-256 of each file in hex, in the order given; None if there is no such file (any more).

        A file that cannot be read alone is yielded as its error, so that the others are read all the same.
        """
        ...


def reason_of(error: Exception) -> str:
    """Return why something cannot be read, with the name of the file; an error without a number is its text."""
    if isinstance(error, OSError) and error.filename:
        name = error.filename
        return f"cannot read {name.decode(errors='replace') if isinstance(name, bytes) else name}: {error.strerror}"
    return str(error)


def start_of(archive: Archive, key: str, size: int) -> bytes | None:
    """Return the first bytes of a file, at most so many; None if there is no such file."""
    with archive.opened(key) as file:
        return None if file is None else file.read(size)


class Folder:
    """A folder: a copy of a bucket, or of the part of it below its prefix."""

    is_local = True

    def __init__(self, path: str) -> None:
        self.name = path
        self._root = os.fsencode(path)

    def keys(self, below: str = "", without: tuple[str, ...] = ()) -> Iterator[str]:
        for name in self._names(below, without):
            yield os.fsdecode(name)

    def folders(self, below: str, depth: int) -> Iterator[str]:
        try:
            entries = sorted(os.scandir(os.path.join(self.name, below)), key=lambda each: each.name)
        except FileNotFoundError:
            # Raises if the archive itself is not there.
            os.stat(self.name)
            return
        for entry in entries:
            if entry.is_dir() and depth == 1:
                yield entry.name
            elif entry.is_dir():
                yield from (f"{entry.name}/{deeper}" for deeper in self.folders(f"{below}/{entry.name}", depth - 1))

    def read(self, key: str) -> bytes | None:
        with self.opened(key) as file:
            return None if file is None else file.read()

    @contextmanager
    def opened(self, key: str) -> Iterator[BinaryIO | None]:
        try:
            file = os.fdopen(os.open(os.path.join(self._root, os.fsencode(key)), _READ), "rb")
        except (FileNotFoundError, NotADirectoryError):
            yield None
            return
        with file:
            yield file

    def digests(self, keys: Iterable[str]) -> Iterator[bytes | OSError | None]:
        for key in keys:
            try:
                yield _digest_of(os.path.join(self._root, os.fsencode(key)))
            except (FileNotFoundError, NotADirectoryError):
                yield None
            except OSError as error:
                yield error

    def digests_below(self, below: str, without: tuple[str, ...]) -> Iterator[tuple[bytes, bytes | None]]:
        """Yield the keys that `keys` lists, as bytes, with their digests; None for a file that cannot be read."""
        for name in self._names(below, without):
            try:
                digest = _digest_of(os.path.join(self._root, name))
            except OSError:
                digest = None
            yield name, digest

    def _names(self, below: str, without: tuple[str, ...]) -> Iterator[bytes]:
        root = os.path.join(self._root, b"")
        start = os.path.join(os.path.join(root, os.fsencode(below)), b"")
        skipped, unwanted = len(root), {root + os.fsencode(each) for each in without}
        # A stack: nested generators cost more than the listing itself.
        waiting = [start]
        while waiting:
            path = waiting.pop()
            if path in unwanted:
                continue
            if not path.endswith(b"/"):
                yield path[skipped:]
                continue
            try:
                with os.scandir(path) as entries:
                    # A folder sorts as the keys below it do, with its slash.
                    found = [
                        path + (each.name + b"/" if each.is_dir(follow_symlinks=False) else each.name)
                        for each in entries
                    ]
            except FileNotFoundError:
                if path == start != root:
                    return
                raise
            found.sort(reverse=True)
            waiting += found


def _digest_of(path: bytes) -> bytes:
    file = os.open(path, _READ)
    try:
        digest = hashlib.sha256()
        while block := os.read(file, _BLOCK_BYTES):
            digest.update(block)
        return digest.hexdigest().encode()
    finally:
        os.close(file)
