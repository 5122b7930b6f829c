"""A storage as the verifier reads it: `job-history verify` is the offline verifier on a bucket."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import BinaryIO

from job_history.errors import ReplicationError
from job_history.storage import Storage


class StorageArchive:
    """An archive in a storage. Errors of the storage are raised as OSError, as the verifier expects them."""

    is_local = False

    def __init__(self, storage: Storage) -> None:
        self.name = storage.root
        self._storage = storage

    def keys(self, below: str = "", without: tuple[str, ...] = ()) -> Iterator[str]:
        with _as_os_errors():
            # A folder on disk is listed in no order; a bucket in that of its keys.
            listed = self._storage.paths(below)
            paths = sorted(listed, key=str.encode) if self._storage.is_local else listed
            yield from (path for path in paths if not path.startswith(without))

    def folders(self, below: str, depth: int) -> Iterator[str]:
        found = set()
        with _as_os_errors():
            for path in self._storage.paths(below):
                parts = path.removeprefix(f"{below}/").split("/")
                if len(parts) > depth:
                    found.add("/".join(parts[:depth]))
        yield from sorted(found)

    def read(self, key: str) -> bytes | None:
        with _as_os_errors():
            return self._storage.read(key)

    @contextmanager
    def opened(self, key: str) -> Iterator[BinaryIO | None]:
        content = self.read(key)
        yield None if content is None else io.BytesIO(content)

    def digests(self, keys: Iterable[str]) -> Iterator[bytes | None]:
        with _as_os_errors():
            for content in self._storage.read_all(keys):
                yield None if content is None else sha256(content).hexdigest().encode()


@contextmanager
def _as_os_errors() -> Iterator[None]:
    try:
        yield
    except ReplicationError as error:
        raise OSError(str(error)) from error
