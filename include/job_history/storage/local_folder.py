"""Files in a folder of this machine: private to its user, whole or not there, and never through a symbolic link."""

from __future__ import annotations

import errno
import itertools
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from job_history.storage.files import Entry
from job_history.storage.folder_checks import check_member, check_owner, check_parents, check_writers

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class Modes(NamedTuple):
    """Permission bits of the files and folders that we make."""

    file: int
    folder: int


PRIVATE = Modes(0o600, 0o700)
SHARED_WITH_GROUP = Modes(0o660, 0o770)


class LocalFolder:
    """Reads and writes below one folder. Paths are relative, with `/`.

    Each part of a path is opened from the one before it, without following links: a link that leads out of the folder
    is an OSError, and a folder on the way in which others could replace files is a PermanentError. A file appears under
    its name when it is complete; until then it is `name#number`.
    """

    is_local = True

    def __init__(self, folder: Path, modes: Modes = PRIVATE) -> None:
        """Make the folder if it is missing. Raises PermanentError if others could replace it, or files in it.

        What is made for a group gets the group of this folder: a user's own primary group may be another one.
        """
        self.folder = folder
        self._modes = modes
        self._numbers = itertools.count(1)
        _make_folders(folder, modes.folder)
        about = folder.stat()
        self._group = about.st_gid if modes == SHARED_WITH_GROUP else None
        if self._group is None or not about.st_mode & stat.S_IWGRP:
            check_owner(folder, about)
        else:
            check_member(folder, about)
        check_writers(folder, about)
        check_parents(folder)

    def write(self, path: str, content: bytes) -> None:
        with self.open_writer(path) as file:
            file.write(content)

    def create(self, path: str, content: bytes) -> bool:
        with self._parent(path, make=True) as (parent, name):
            unfinished = self._new_file(parent, name, content)
            try:
                os.link(unfinished, name, src_dir_fd=parent, dst_dir_fd=parent, follow_symlinks=False)
            except FileExistsError:
                return False
            finally:
                os.unlink(unfinished, dir_fd=parent)
        return True

    def read(self, path: str) -> bytes | None:
        try:
            with self.open_reader(path) as file:
                return file.read()
        except FileNotFoundError:
            return None

    @contextmanager
    def open_writer(self, path: str) -> Iterator[BinaryIO]:
        with self._parent(path, make=True) as (parent, name):
            unfinished, file = self._open_new(parent, name)
            try:
                with file:
                    yield file
                os.replace(unfinished, name, src_dir_fd=parent, dst_dir_fd=parent)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(unfinished, dir_fd=parent)
                raise

    @contextmanager
    def open_reader(self, path: str) -> Iterator[BinaryIO]:
        with self._parent(path) as (parent, name):
            file = os.open(name, _READ, dir_fd=parent)
        with os.fdopen(file, "rb") as opened:
            yield opened

    def entries(self, below: str) -> Iterator[Entry]:
        """List the complete files below a folder of ours; none if there is no such folder."""
        yield from (entry for entry in self._all_entries(below) if "#" not in entry.path.rpartition("/")[2])

    def delete(self, path: str) -> None:
        with suppress(FileNotFoundError), self._parent(path) as (parent, name):
            os.unlink(name, dir_fd=parent)

    def delete_unfinished(self, below: str) -> None:
        """Delete what killed writers left below a folder."""
        for entry in list(self._all_entries(below)):
            if "#" in entry.path.rpartition("/")[2]:
                self.delete(entry.path)

    def _all_entries(self, below: str) -> Iterator[Entry]:
        try:
            with self._opened(_parts(below)) as folder:
                for found, _, files, parent in os.fwalk(".", dir_fd=folder, follow_symlinks=False):
                    place = "/".join(part for part in (below.strip("/"), found.removeprefix(".").strip("/")) if part)
                    for name in files:
                        with suppress(FileNotFoundError):
                            about = os.stat(name, dir_fd=parent, follow_symlinks=False)
                            if stat.S_ISREG(about.st_mode):
                                yield _entry(f"{place}/{name}" if place else name, about)
        except FileNotFoundError:
            return

    def _new_file(self, parent: int, name: str, content: bytes) -> str:
        unfinished, file = self._open_new(parent, name)
        with file:
            file.write(content)
        return unfinished

    def _open_new(self, parent: int, name: str) -> tuple[str, BinaryIO]:
        while True:
            unfinished = f"{name}#{os.getpid()}{next(self._numbers)}"
            with suppress(FileExistsError):
                file = os.open(unfinished, _CREATE, self._modes.file, dir_fd=parent)
                self._give_to_group(file)
                os.fchmod(file, self._modes.file)  # whatever the umask is
                return unfinished, os.fdopen(file, "wb")

    @contextmanager
    def _parent(self, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        """Open the folder that a path lies in; yields its descriptor and the last part of the path."""
        *folders, name = _parts(path)
        with self._opened(folders, make=make) as parent:
            yield parent, name

    @contextmanager
    def _opened(self, folders: list[str], *, make: bool = False) -> Iterator[int]:
        opened = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        place = self.folder
        try:
            for part in folders:
                inner = self._open_folder(opened, part, make=make)
                os.close(opened)
                opened, place = inner, place / part
                self._check_inner(place, os.fstat(opened))
            yield opened
        finally:
            os.close(opened)

    def _check_inner(self, folder: Path, about: os.stat_result) -> None:
        """Of a shared group, each member has folders of its own; only who else may write to them matters."""
        if self._modes != SHARED_WITH_GROUP:
            check_owner(folder, about)
        check_writers(folder, about)

    def _open_folder(self, parent: int, name: str, *, make: bool) -> int:
        try:
            return os.open(name, _FOLDER, dir_fd=parent)
        except FileNotFoundError:
            if not make:
                raise
        except NotADirectoryError:
            if not stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                raise
            raise OSError(errno.ELOOP, f"{name} is a symbolic link, and links are not followed") from None
        with suppress(FileExistsError):
            os.mkdir(name, self._modes.folder, dir_fd=parent)
            os.chmod(name, self._modes.folder, dir_fd=parent)
            made = os.open(name, _FOLDER, dir_fd=parent)
            self._give_to_group(made)
            return made
        return os.open(name, _FOLDER, dir_fd=parent)

    def _give_to_group(self, descriptor: int) -> None:
        # Not every mount lets a user change a group, even to the one that there is.
        if self._group is not None and os.fstat(descriptor).st_gid != self._group:
            os.fchown(descriptor, -1, self._group)


def _make_folders(folder: Path, mode: int) -> None:
    """Make the missing folders of a path, all with the same permissions whatever the umask is."""
    if folder.is_dir():
        return
    _make_folders(folder.parent, mode)
    with suppress(FileExistsError):
        folder.mkdir(mode)
        folder.chmod(mode)


def _parts(path: str) -> list[str]:
    parts = [part for part in path.split("/") if part]
    if ".." in parts or "." in parts:
        raise ValueError(f"{path!r} is not a path below the folder")
    return parts


def _entry(path: str, about: Any) -> Entry:
    written = datetime.fromtimestamp(about.st_mtime, UTC)
    return Entry(path, about.st_size, f"{about.st_ino:x}-{about.st_mtime_ns:x}-{about.st_size:x}", written)
