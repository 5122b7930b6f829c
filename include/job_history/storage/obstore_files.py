"""Files of a bucket or a container, by a client of obstore (Rust object_store): the same for every kind of store."""

from __future__ import annotations

import secrets
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import ObjectStore

from job_history.errors import ReplicationError
from job_history.storage.files import Entry, GuardedFile, ObjectExistsError, Written
from job_history.storage.problems import NO_ANSWER_OF_A_STORE


class ObstoreFiles(ABC):
    """One client for reading and one for writing: what only a PUT may carry is among the headers of the second."""

    is_local = False
    _reader: ObjectStore
    _writer: ObjectStore

    def __init__(self, prefix: str) -> None:
        self._prefix = f"{prefix}/" if prefix else ""
        self._is_seen_to_be_a_store = False

    @abstractmethod
    def error_of(self, text: str, doing: str, key: str) -> ReplicationError:
        """Return the error for what obstore, or a store through it, reports in `text`."""

    @abstractmethod
    def unusable(self, text: str, doing: str, key: str) -> ReplicationError:
        """Return the error for settings that obstore cannot use; `text` is its reason."""

    @abstractmethod
    def reports_missing_bucket(self, text: str) -> bool:
        """Whether a "not found" is about the bucket, and not about the object."""

    def reports_existing(self, error: Exception) -> bool:
        """Whether the error of a create (409, 412) means that there is an object, or another request for the key."""
        return isinstance(error, (AlreadyExistsError, PreconditionError))

    async def put(self, key: str, content: bytes, metadata: Mapping[str, str], *, create: bool) -> Written:
        with self._errors("write", key, create=create):
            stored = await obstore.put_async(
                self._writer,
                self._prefix + key,
                content,
                attributes={"Content-Type": "application/json", **metadata},
                mode="create" if create else "overwrite",
                use_multipart=False,
            )
        return Written(_quoted(stored["e_tag"]), stored["version"])

    async def head(self, key: str) -> Entry | None:
        with self._errors("read", key):
            try:
                found = await obstore.head_async(self._reader, self._prefix + key)
            except FileNotFoundError as missing:
                self._raise_if_the_bucket_is(missing)
                return None
            self._check_that_a_store_answered(found, key)
        return _entry(key, found)

    async def get(self, key: str) -> bytes | None:
        with self._errors("read", key):
            try:
                result = await obstore.get_async(self._reader, self._prefix + key)
                self._check_that_a_store_answered(result.meta, key)
                return (await result.bytes_async()).to_bytes()
            except FileNotFoundError as missing:
                self._raise_if_the_bucket_is(missing)
                return None

    def check_exists(self) -> None:
        next(self.entries(""), None)

    def write(self, path: str, content: bytes) -> None:
        with self._errors("write", path):
            obstore.put(self._writer, self._prefix + path, content, use_multipart=False)

    def create(self, path: str, content: bytes) -> bool:
        try:
            with self._errors("write", path, create=True):
                obstore.put(self._writer, self._prefix + path, content, mode="create", use_multipart=False)
        except ObjectExistsError:
            return False
        return True

    def read(self, path: str) -> bytes | None:
        with self._errors("read", path):
            try:
                result = obstore.get(self._reader, self._prefix + path)
                self._check_that_a_store_answered(result.meta, path)
                return result.bytes().to_bytes()
            except FileNotFoundError as missing:
                self._raise_if_the_bucket_is(missing)
                return None

    @contextmanager
    def open_writer(self, path: str) -> Iterator[BinaryIO]:
        with self._errors("write", path):
            file = obstore.open_writer(self._writer, self._prefix + path)
        yield cast("BinaryIO", GuardedFile(file, lambda: self._errors("write", path)))
        with self._errors("write", path):
            file.close()

    @contextmanager
    def open_reader(self, path: str) -> Iterator[BinaryIO]:
        with self._errors("read", path):
            try:
                file: Any = obstore.open_reader(self._reader, self._prefix + path)
            except FileNotFoundError as missing:
                self._raise_if_the_bucket_is(missing)
                file = None
        if file is None:
            raise FileNotFoundError(path)
        yield cast("BinaryIO", GuardedFile(file, lambda: self._errors("read", path)))

    def entries(self, below: str) -> Iterator[Entry]:
        folder = (self._prefix + below.strip("/")).strip("/")
        with self._errors("list", below):
            for page in obstore.list(self._reader, folder or None):
                for found in page:
                    self._is_seen_to_be_a_store = True
                    yield _entry(found["path"].removeprefix(self._prefix), found)
            if not self._is_seen_to_be_a_store:
                self._check_that_it_is_a_store(folder)

    def _check_that_a_store_answered(self, about: Any, key: str) -> None:
        """Raise unless what an answer has about an object is a store's: a web page has no ETag."""
        if not about["e_tag"]:
            raise self.error_of(NO_ANSWER_OF_A_STORE, "read", self._prefix + key)

    def _check_that_it_is_a_store(self, folder: str) -> None:
        """Raise unless it can miss an object. For obstore a web page with status 200 is a listing without objects."""
        try:
            obstore.head(self._reader, f"{folder}/{secrets.token_hex(16)}".strip("/"))
        except (FileNotFoundError, PermissionDeniedError, UnauthenticatedError):
            self._is_seen_to_be_a_store = True
        else:
            raise self.error_of(NO_ANSWER_OF_A_STORE, "list", folder)

    def delete(self, path: str) -> None:
        with self._errors("delete", path):
            try:
                # One by one: DeleteObjects (POST) is not known to every store.
                obstore.delete(self._reader, self._prefix + path)
            except FileNotFoundError as missing:
                self._raise_if_the_bucket_is(missing)

    def delete_unfinished(self, below: str) -> None:  # noqa: B027 - of every store
        """Nothing to do: leftovers are uploads in parts, which a lifecycle rule of the bucket ends."""

    @contextmanager
    def _errors(self, doing: str, path: str, *, create: bool = False) -> Iterator[None]:
        """Raise what obstore raises as errors that name the bucket. Only a `create` can raise ObjectExistsError."""
        key = self._prefix + path
        try:
            yield
        except (BaseError, OSError) as error:
            found = self.error_of(str(error), doing, key)
            if create and self.reports_existing(error):
                raise ObjectExistsError(found) from None
            raise found from None
        except (ArithmeticError, TypeError, ValueError) as refused:
            raise self.unusable(f"{type(refused).__name__}: {refused}", doing, key) from None
        except BaseException as panic:
            if type(panic).__name__ not in {"PanicException", "RustPanic"}:
                raise
            raise self.unusable(f"the client obstore broke: {type(panic).__name__}", doing, key) from None

    def _raise_if_the_bucket_is(self, missing: FileNotFoundError) -> None:
        """Raise the error again if the bucket is missing, and not the object."""
        if self.reports_missing_bucket(str(missing)):
            raise missing
        self._is_seen_to_be_a_store = True


def _entry(path: str, found: Any) -> Entry:
    return Entry(path, found["size"], _quoted(found["e_tag"]), found["last_modified"], found["version"])


def _quoted(e_tag: str | None) -> str | None:
    """Return an ETag with quotes, as headers have it: in a listing of Azure's it has none."""
    return e_tag if not e_tag or e_tag.endswith('"') else f'"{e_tag}"'
