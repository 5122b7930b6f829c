"""A bucket by the connection's own boto3 client, in threads: slower, and with everything that botocore knows."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, BinaryIO, TypeVar, cast

from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from job_history.errors import ReplicationError
from job_history.storage.files import Entry, GuardedFile, ObjectExistsError, Written
from job_history.storage.problems import Attempted
from job_history.storage.s3.access import S3Access
from job_history.storage.s3.boto3_errors import problem_of_boto3
from job_history.storage.s3.trust import system_certificates

# A streamed file that is larger than that is kept on disk until it is sent.
_SPOOLED_BYTES = 8_000_000
_MISSING = {"NoSuchKey", "404", "NotFound"}
_EXISTS = {409, 412}

Result = TypeVar("Result")


class Boto3Bucket:
    """`concurrency` is the number of requests under way at most."""

    is_local = False

    def __init__(self, access: S3Access, *, prefix: str = "", concurrency: int = 16, attempts: int = 1) -> None:
        self.access = access
        self._prefix = f"{prefix}/" if prefix else ""
        self._concurrency = access.max_connections or concurrency
        with self._errors("use", ""):
            self._client = boto3_client(access, connections=self._concurrency, attempts=attempts)
        self._in_bucket = {"Bucket": access.bucket, **access.options.payer()}
        self._threads = ThreadPoolExecutor(self._concurrency, "s3")

    def description(self) -> dict[str, Any]:
        return self.access.description

    async def put(self, key: str, content: bytes, metadata: Mapping[str, str], *, create: bool) -> Written:
        return await self._in_thread(lambda: self._put(key, content, metadata, create=create))

    async def head(self, key: str) -> Entry | None:
        return await self._in_thread(lambda: self._head(key))

    async def get(self, key: str) -> bytes | None:
        return await self._in_thread(lambda: self.read(key))

    def check_exists(self) -> None:
        next(self.entries(""), None)

    def write(self, path: str, content: bytes) -> None:
        self._put(path, content, {}, create=False)

    def create(self, path: str, content: bytes) -> bool:
        try:
            self._put(path, content, {}, create=True)
        except ObjectExistsError:
            return False
        return True

    def read(self, path: str) -> bytes | None:
        with self._errors("read", path):
            body = self._body(path)
            return None if body is None else bytes(body.read())

    @contextmanager
    def open_writer(self, path: str) -> Iterator[BinaryIO]:
        with tempfile.SpooledTemporaryFile(_SPOOLED_BYTES) as file:
            yield cast("BinaryIO", file)
            file.seek(0)
            with self._errors("write", path):
                extra = self.access.options.arguments_of_parts()
                self._client.upload_fileobj(file, self.access.bucket, self._prefix + path, ExtraArgs=extra)

    @contextmanager
    def open_reader(self, path: str) -> Iterator[BinaryIO]:
        with self._errors("read", path):
            body = self._body(path)
        if body is None:
            raise FileNotFoundError(path)
        with body:
            yield cast("BinaryIO", GuardedFile(body, lambda: self._errors("read", path)))

    def entries(self, below: str, after: str = "") -> Iterator[Entry]:
        """List the objects; those whose paths come after `after`."""
        folder = self._prefix + (f"{below.strip('/')}/" if below.strip("/") else "")
        position = {"StartAfter": self._prefix + after} if after else {}
        pages = self._client.get_paginator("list_objects_v2").paginate(**self._in_bucket, Prefix=folder, **position)
        with self._errors("list", below):
            for page in pages:
                _check_that_it_has("IsTruncated", page)
                for found in page.get("Contents", []):
                    path = found["Key"].removeprefix(self._prefix)
                    yield Entry(path, found["Size"], found.get("ETag"), found["LastModified"])

    def delete(self, path: str) -> None:
        with self._errors("delete", path):
            self._client.delete_object(**self._in_bucket, Key=self._prefix + path)

    def delete_unfinished(self, below: str) -> None:
        """Nothing to do: leftovers are uploads in parts, which a lifecycle rule of the bucket ends."""

    def _put(self, key: str, content: bytes, metadata: Mapping[str, str], *, create: bool) -> Written:
        condition = {"IfNoneMatch": "*"} if create else {}
        with self._errors("write", key, creating=create):
            stored = self._client.put_object(
                Bucket=self.access.bucket,
                Key=self._prefix + key,
                Body=content,
                ContentType="application/json",
                Metadata=dict(metadata),
                **self.access.options.arguments(content),
                **condition,
            )
            _check_that_it_has("ETag", stored)
        return Written(stored.get("ETag"), stored.get("VersionId"))

    def _head(self, key: str) -> Entry | None:
        with self._errors("read", key):
            try:
                found = self._client.head_object(**self._in_bucket, Key=self._prefix + key)
            except ClientError as error:
                _raise_unless_missing(error)
                return None
            _check_that_it_has("ETag", found)
            _check_that_it_has("LastModified", found)
        return Entry(key, found["ContentLength"], found.get("ETag"), found["LastModified"], found.get("VersionId"))

    def _body(self, path: str) -> Any:
        """Return the stream of an object; None if there is none."""
        try:
            found = self._client.get_object(**self._in_bucket, Key=self._prefix + path)
        except ClientError as error:
            _raise_unless_missing(error)
            return None
        _check_that_it_has("ETag", found)
        return found["Body"]

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    @contextmanager
    def _errors(self, doing: str, key: str, *, creating: bool = False) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            sorted_error = self._error(error, doing, key)
            if creating and error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") in _EXISTS:
                raise ObjectExistsError(sorted_error) from None
            raise sorted_error from None
        except ReplicationError:
            raise
        except Exception as error:  # noqa: BLE001 - what renews credentials may raise anything
            raise self._error(error, doing, key) from None

    def _error(self, error: Any, doing: str, key: str) -> ReplicationError:
        mask = self.access.credentials.masker() if self.access.credentials else str
        attempted = Attempted(doing, self._prefix + key, self.access.region)
        return problem_of_boto3(error, mask).error(self.access.about, attempted)


def boto3_client(access: S3Access, *, connections: int = 1, attempts: int = 1) -> Any:
    """Return the connection's own client, which stays in its region and trusts what the other client trusts."""
    config = access.config.merge(
        Config(
            connect_timeout=access.connect_timeout,
            read_timeout=access.read_timeout,
            max_pool_connections=connections,
            retries={"total_max_attempts": attempts, "mode": "standard"},
        )
    )
    if access.options.checksum == "none":
        # Also if the connection's config asks for one whenever it is possible.
        config = config.merge(Config(request_checksum_calculation="when_required"))
    verify = system_certificates() if access.trust is True else access.trust
    client = access.connection.client(config, verify)
    client.meta.events.register("before-call.s3", _stay_in_region)
    return client


def _stay_in_region(context: dict[str, Any], **_: Any) -> None:
    """Keep botocore from following a redirect to another region; the other client does not follow it either."""
    context.setdefault("s3_redirect", {})["redirected"] = True


def _check_that_it_has(name: str, answer: Mapping[str, Any]) -> None:
    """Raise unless an answer has what S3 always gives: botocore takes a web page with status 200 for an answer."""
    if name not in answer:
        raise ResponseParserError(f"no {name} in an answer with a success")


def _raise_unless_missing(error: ClientError) -> None:
    """Raise the error unless it means that there is no such object."""
    if error.response.get("Error", {}).get("Code") not in _MISSING:
        raise error
