"""Where staged files and receipts are kept: a local folder or a bucket.

Once obstore has been used in a process, a *forked* child of that process hangs in it. Airflow forks its tasks, so make
a Storage inside a task only, never while a DAG is parsed.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar, cast

from job_history.errors import PermanentError, ReplicationError, TransientError
from job_history.storage.files import Files, GuardedFile
from job_history.storage.local_folder import PRIVATE, SHARED_WITH_GROUP, LocalFolder

Item = TypeVar("Item")
Result = TypeVar("Result")

REQUESTS_AT_ONCE = 64
"""To a bucket, by one task: an answer takes some 30 ms, and ten thousand accounts need a hundred thousand of them."""
CALLS_AHEAD = 1_000
"""So many calls go on while the first one of them takes long."""
# Fewer are read ahead: a list of items, the largest of what is read in this way, has a few megabytes.
FILES_AHEAD_IN_A_BUCKET = 16


class Storage:
    """Files below one root. Paths are relative, with `/`; a write is seen whole or not at all.

    Errors are PermanentError or TransientError that name the file.
    """

    def __init__(self, files: Files, root: str) -> None:
        """`root`: the URL of the place, for messages."""
        self.files = files
        self.root = root

    def url(self, path: str) -> str:
        return f"{self.root}/{path}"

    @property
    def is_local(self) -> bool:
        """Whether the files lie in a folder of this machine (or of one that it mounts)."""
        return self.files.is_local

    def write(self, path: str, content: bytes) -> None:
        with self._errors("write", path):
            self.files.write(path, content)

    def create(self, path: str, content: bytes) -> bool:
        """Write a file that does not exist yet, and return True; False if it exists.

        Of several at once, one succeeds.
        """
        with self._errors("write", path):
            return self.files.create(path, content)

    def read(self, path: str) -> bytes | None:
        """Return the file's content; None if there is no such file."""
        with self._errors("read", path):
            return self.files.read(path)

    def read_all(self, paths: Iterable[str]) -> Iterator[bytes | None]:
        """Read files, in the order given. From a bucket, some are under way while another is gone through."""
        if self.is_local:
            yield from map(self.read, paths)
            return
        ahead = FILES_AHEAD_IN_A_BUCKET
        yield from one_after_another(self.read, paths, at_once=ahead, ahead=ahead)

    @contextmanager
    def writer(self, path: str) -> Iterator[BinaryIO]:
        """Open a file to stream into. After an exception inside the block the file may exist or not."""
        yield from self._opened(self.files.open_writer(path), "write", path)

    @contextmanager
    def reader(self, path: str) -> Iterator[BinaryIO]:
        """Open a file to stream it. Raises PermanentError if there is none."""
        yield from self._opened(self.files.open_reader(path), "read", path)

    def paths(self, below: str) -> Iterator[str]:
        """List the files below a folder, in no promised order."""
        with self._errors("list", below):
            for entry in self.files.entries(below):
                yield entry.path

    def versions(self, below: str) -> Iterator[tuple[str, str]]:
        """List the files below a folder, each with a text that changes when the file is written again."""
        with self._errors("list", below):
            for entry in self.files.entries(below):
                yield entry.path, entry.e_tag or str(entry.written)

    def paths_untouched_since(self, moment: datetime, below: str = "") -> Iterator[str]:
        """List the files below a folder that were last written before the moment."""
        return (path for path, written in self.written(below) if written < moment)

    def written(self, below: str) -> Iterator[tuple[str, datetime]]:
        """List the files below a folder, each with the moment (UTC) when it was last written."""
        with self._errors("list", below):
            for entry in self.files.entries(below):
                yield entry.path, entry.written

    def delete(self, path: str) -> None:
        with self._errors("delete", path):
            self.files.delete(path)

    def delete_all(self, paths: Iterable[str]) -> None:
        """Delete files; in a bucket, many at a time: not every store knows the request that deletes several.

        A file that cannot be deleted keeps no other; its error is raised at the end.
        """
        results = map(self._try_to_delete, paths) if self.is_local else at_once(self._try_to_delete, paths)
        if errors := [error for error in results if error is not None]:
            raise errors[0]

    def _try_to_delete(self, path: str) -> ReplicationError | None:
        try:
            self.delete(path)
        except ReplicationError as error:
            return error
        return None

    def delete_below(self, folder: str) -> None:
        self.delete_all(list(self.paths(folder)))

    def delete_unfinished(self, folder: str) -> None:
        """Delete what killed writers left of files below a folder."""
        with self._errors("delete", folder):
            self.files.delete_unfinished(folder)

    def _opened(self, opening: AbstractContextManager[BinaryIO], doing: str, path: str) -> Iterator[BinaryIO]:
        """Enter and leave with errors of the file alone converted, and not those of the block that uses it."""
        with self._errors(doing, path):
            file = GuardedFile(opening.__enter__(), lambda: self._errors(doing, path))
        try:
            yield cast("BinaryIO", file)
        except BaseException:
            file.abandon()
            opening.__exit__(*sys.exc_info())
            raise
        with self._errors(doing, path):
            opening.__exit__(None, None, None)

    @contextmanager
    def _errors(self, doing: str, path: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as missing:
            if doing != "read":
                raise TransientError(f"Cannot {doing} {self.url(path)}: {_cause(missing)}") from None
            raise PermanentError(
                f"{self.url(path)} is gone, so this step has nothing to work on. Clear the run's extract task of this "
                "account as well, so that it is made again."
            ) from missing
        except (IsADirectoryError, NotADirectoryError) as error:
            raise PermanentError(
                f"Cannot {doing} {self.url(path)}: {_cause(error)}. A folder is in the place of a file, or a file in "
                "that of a folder: move it elsewhere."
            ) from None
        except (OSError, ValueError) as error:
            raise TransientError(f"Cannot {doing} {self.url(path)}: {_cause(error)}") from None
        except ReplicationError as error:
            raise type(error)(
                f"Cannot {doing} {self.url(path)}. {error}", code=error.code, detail=error.detail, facts=error.facts
            ) from None


def at_once(do: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Call a function for each item, for up to REQUESTS_AT_ONCE of them at the same time; results are in their order.

    Raises the first error, once the calls under way have ended; the others are not made.
    """
    return list(one_after_another(do, items))


def one_after_another(
    do: Callable[[Item], Result], items: Iterable[Item], *, at_once: int = REQUESTS_AT_ONCE, ahead: int = CALLS_AHEAD
) -> Iterator[Result]:
    """Do the same, and yield each result when it is asked for; so many calls at most are made `ahead` of that."""
    to_do = iter(items)
    with ThreadPoolExecutor(at_once, "requests") as threads:
        begun = deque(threads.submit(do, item) for item in islice(to_do, ahead))
        try:
            while begun:
                result = begun.popleft().result()
                begun.extend(threads.submit(do, item) for item in islice(to_do, 1))
                yield result
        finally:
            for call in begun:
                call.cancel()


def as_they_end(
    do: Callable[[Item], Result], items: Iterable[Item], *, at_once: int = REQUESTS_AT_ONCE
) -> Iterator[Result]:
    """Do the same, and yield each result when its call has ended: one that takes long holds no other up."""
    to_do = iter(items)
    with ThreadPoolExecutor(at_once, "requests") as threads:
        under_way = {threads.submit(do, item) for item in islice(to_do, at_once)}
        try:
            while under_way:
                ended, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                under_way |= {threads.submit(do, item) for item in islice(to_do, len(ended))}
                for call in ended:
                    yield call.result()
        finally:
            for call in under_way:
                call.cancel()


def _cause(error: Exception) -> str:
    if "No space left on device" in str(error):
        return "the disk is full (No space left on device). Make room there, or name another path."
    return getattr(error, "strerror", None) or str(error)


def local_storage(folder: Path, *, shared_group: bool = False) -> Storage:
    """Return storage in a folder, which is made if it is missing.

    Files and folders are for this user alone, or with `shared_group` for the folder's group as well. Raises
    PermanentError if others could replace files in the folder.
    """
    files = LocalFolder(folder, SHARED_WITH_GROUP if shared_group else PRIVATE)
    return Storage(files, f"file://{folder}")


def folder_of(url: str) -> Path | None:
    """Return the folder that a `file://` URL, or a bare path, names, character by character; None for another
    scheme.
    """
    scheme, separator, path = url.partition("://")
    if not separator:
        return Path(url)
    return Path(path) if scheme == "file" and path.startswith("/") else None
