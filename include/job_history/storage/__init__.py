"""Where staged files and receipts are kept: a local folder or a bucket, through one client.

obstore does both, without s3fs, which would hold boto3 back. Once it has been used in a process, a *forked* child of
that process hangs in it; Airflow forks its tasks, so make a Storage inside a task only, never while a DAG is parsed.
"""

from __future__ import annotations

import io
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, ObjectStore

from job_history.errors import PermanentError, TransientError

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer


# An answer takes some 30 ms; a list of items, the largest of what is read in this way, has a few megabytes.
FILES_AHEAD_IN_A_BUCKET = 16


class Storage:
    """Files below one root. Paths are relative, with `/`; a write is seen whole or not at all."""

    def __init__(self, store: ObjectStore, root: str, folder: Path | None = None) -> None:
        """`folder`: where the files lie, if they lie in a folder."""
        self.store = store
        self.root = root
        self._folder = folder

    def url(self, path: str) -> str:
        return f"{self.root}/{path}"

    @property
    def is_local(self) -> bool:
        """Whether the files lie in a folder of this machine (or of one that it mounts)."""
        return self._folder is not None

    def write(self, path: str, content: bytes) -> None:
        with self._faults("write", path):
            obstore.put(self.store, path, content, use_multipart=False)

    def create(self, path: str, content: bytes) -> bool:
        """Write a file that is not there yet, and return True; False where it is. One of several at once succeeds."""
        with self._faults("write", path):
            try:
                obstore.put(self.store, path, content, mode="create", use_multipart=False)
            except AlreadyExistsError:
                return False
            return True

    def read(self, path: str) -> bytes | None:
        """Return the file's content, or None where there is no such file."""
        with self._faults("read", path):
            try:
                if self._folder is not None:
                    # Several times as fast as the client, which goes through other threads twice.
                    # And without pathlib, whose parsing of a path takes longer than the reading of a receipt.
                    with open(f"{self._folder}/{path}", "rb") as file:  # noqa: PTH123
                        return file.read()
                return obstore.get(self.store, path).bytes().to_bytes()
            except FileNotFoundError:
                return None

    def read_all(self, paths: Iterable[str]) -> Iterator[bytes | None]:
        """Read files, in the order given. From a bucket, some are under way while another is gone through."""
        if self.is_local:
            yield from map(self.read, paths)
            return
        to_ask = iter(paths)
        with ThreadPoolExecutor(FILES_AHEAD_IN_A_BUCKET, "read") as readers:
            under_way = deque(readers.submit(self.read, path) for path in islice(to_ask, FILES_AHEAD_IN_A_BUCKET))
            while under_way:
                content = under_way.popleft().result()
                under_way.extend(readers.submit(self.read, path) for path in islice(to_ask, 1))
                yield content

    @contextmanager
    def writer(self, path: str) -> Iterator[BinaryIO]:
        """Open a file to stream into. What was written before an exception inside the block may or may not be kept."""
        with self._faults("write", path):
            file = obstore.open_writer(self.store, path)
        yield cast("BinaryIO", _Guarded(file, lambda: self._faults("write", path)))
        with self._faults("write", path):
            file.close()

    @contextmanager
    def reader(self, path: str) -> Iterator[BinaryIO]:
        """Open a file to stream it. Raises PermanentError where there is none."""
        with self._faults("read", path):
            try:
                file = obstore.open_reader(self.store, path)
            except FileNotFoundError as missing:
                raise PermanentError(
                    f"{self.url(path)} is gone, so this step has nothing to work on. Clear the run's extract task of "
                    "this account as well, so that it is made again."
                ) from missing
        yield cast("BinaryIO", _Guarded(file, lambda: self._faults("read", path)))

    def paths(self, below: str) -> Iterator[str]:
        """List the files below a folder, in no promised order."""
        with self._faults("list", below):
            for page in obstore.list(self.store, below):
                for entry in page:
                    yield entry["path"]

    def versions(self, below: str) -> Iterator[tuple[str, str]]:
        """List the files below a folder, each with a word that is another one once the file was written anew."""
        with self._faults("list", below):
            for page in obstore.list(self.store, below):
                for entry in page:
                    yield entry["path"], entry["e_tag"] or str(entry["last_modified"])

    def paths_untouched_since(self, moment: datetime, below: str = "") -> Iterator[str]:
        """List the files below a folder that were last written before the moment."""
        with self._faults("list", below):
            for page in obstore.list(self.store, below or None):
                for entry in page:
                    if entry["last_modified"] < moment:
                        yield entry["path"]

    def delete(self, path: str) -> None:
        with self._faults("delete", path):
            try:
                obstore.delete(self.store, path)
            except FileNotFoundError:
                return

    def delete_below(self, folder: str) -> None:
        for path in list(self.paths(folder)):
            self.delete(path)

    def delete_unfinished(self, folder: str) -> None:
        """Delete what killed writers left on a local disk: files named `path#1`, which the client never lists.

        In a bucket such leftovers are uploads in parts; a lifecycle rule of the bucket ends those.
        """
        if self._folder is not None:
            for path in (self._folder / folder).rglob("*#[0-9]*"):
                path.unlink(missing_ok=True)

    @contextmanager
    def _faults(self, doing: str, path: str) -> Iterator[None]:
        try:
            yield
        except (BaseError, OSError) as fault:
            raise TransientError(f"Cannot {doing} {self.url(path)}: {_cause(fault)}") from None


class _Guarded(io.RawIOBase):
    """A file whose own faults, and no others of the block that uses it, are told as faults of storage."""

    def __init__(self, file: Any, faults: Callable[[], AbstractContextManager[None]]) -> None:
        super().__init__()
        self._file = file
        self._faults = faults

    def writable(self) -> bool:
        return hasattr(self._file, "write")

    def readable(self) -> bool:
        return hasattr(self._file, "read")

    def write(self, content: Buffer) -> int:
        with self._faults():
            return int(self._file.write(content))

    def read(self, size: int = -1) -> bytes:
        with self._faults():
            return bytes(self._file.read(size if size >= 0 else None))


def _cause(fault: BaseException) -> str:
    text = str(fault)
    if "No space left on device" in text:
        return "the disk is full (No space left on device). Make room there, or point the path elsewhere."
    # obstore appends a long debugging form of the same error behind the first lines. Of a bucket's answer, which may echo
    # keys and signatures, only the code is told.
    detail, _, answer = text.split("\n\n", maxsplit=1)[0].partition("<")
    code = re.search(r"Code>([A-Za-z0-9.]+)</Code>", answer)
    return f"{detail.strip().rstrip(':')}: {code[1]}" if code else detail.strip()


def local_storage(folder: Path) -> Storage:
    """Return storage in a folder, which is made where it is missing."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Storage(LocalStore(folder, mkdir=True), f"file://{folder}", folder)


def folder_of(url: str) -> Path | None:
    """Return the folder that a `file://` URL, or a bare path, names; None for another scheme."""
    parts = urlsplit(url)
    return Path(parts.path) if parts.scheme in {"", "file"} else None
