"""A bucket by obstore (Rust object_store).

obstore reads the environment for every setting that it is not given, so it is given all of them. What has no value for
"none" is in `resolve.py`: if the environment has it, boto3 is used instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store

from job_history.errors import ReplicationError
from job_history.errors.code import Code
from job_history.errors.masking import Masker
from job_history.storage.files import Entry, GuardedFile
from job_history.storage.s3.access import S3Access
from job_history.storage.s3.bucket import ObjectExistsError
from job_history.storage.s3.obstore_errors import BLOCKED_PROXY, problem_of_obstore
from job_history.storage.s3.problems import Attempted, Problem, quoted

if TYPE_CHECKING:
    # They exist for type checkers only.
    from obstore.store import ClientConfig, RetryConfig, S3Config


class ObstoreBucket:
    """One client for reading and one for writing: what only a PUT may carry is among the headers of the second."""

    is_local = False

    def __init__(self, access: S3Access, *, prefix: str = "", attempts: int = 1) -> None:
        self.access = access
        self._prefix = f"{prefix}/" if prefix else ""
        with self._errors("use", ""):
            self._reader = s3_store(access, {}, attempts)
            self._writer = s3_store(access, access.options.headers(), attempts)

    async def put(self, key: str, content: bytes, metadata: Mapping[str, str], *, create: bool) -> str | None:
        with self._errors("write", key):
            stored = await obstore.put_async(
                self._writer,
                self._prefix + key,
                content,
                attributes={"Content-Type": "application/json", **metadata},
                mode="create" if create else "overwrite",
                use_multipart=False,
            )
        return stored["e_tag"]

    async def head(self, key: str) -> Entry | None:
        with self._errors("read", key):
            try:
                return _entry(key, await obstore.head_async(self._reader, self._prefix + key))
            except FileNotFoundError as missing:
                _raise_if_the_bucket_is(missing)
                return None

    async def get(self, key: str) -> bytes | None:
        with self._errors("read", key):
            try:
                result = await obstore.get_async(self._reader, self._prefix + key)
                return (await result.bytes_async()).to_bytes()
            except FileNotFoundError as missing:
                _raise_if_the_bucket_is(missing)
                return None

    def check_exists(self) -> None:
        with self._errors("list", ""):
            next(iter(obstore.list(self._reader, chunk_size=1)), None)

    def write(self, path: str, content: bytes) -> None:
        with self._errors("write", path):
            obstore.put(self._writer, self._prefix + path, content, use_multipart=False)

    def create(self, path: str, content: bytes) -> bool:
        try:
            with self._errors("write", path):
                obstore.put(self._writer, self._prefix + path, content, mode="create", use_multipart=False)
        except ObjectExistsError:
            return False
        return True

    def read(self, path: str) -> bytes | None:
        with self._errors("read", path):
            try:
                return obstore.get(self._reader, self._prefix + path).bytes().to_bytes()
            except FileNotFoundError as missing:
                _raise_if_the_bucket_is(missing)
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
                _raise_if_the_bucket_is(missing)
                file = None
        if file is None:
            raise FileNotFoundError(path)
        yield cast("BinaryIO", GuardedFile(file, lambda: self._errors("read", path)))

    def entries(self, below: str) -> Iterator[Entry]:
        with self._errors("list", below):
            for page in obstore.list(self._reader, (self._prefix + below.strip("/")).strip("/") or None):
                for found in page:
                    yield _entry(found["path"].removeprefix(self._prefix), found)

    def delete(self, path: str) -> None:
        with self._errors("delete", path):
            try:
                # One by one: DeleteObjects (POST) is not known to every store.
                obstore.delete(self._reader, self._prefix + path)
            except FileNotFoundError as missing:
                _raise_if_the_bucket_is(missing)

    def delete_unfinished(self, below: str) -> None:
        """Nothing to do: leftovers are uploads in parts, which a lifecycle rule of the bucket ends."""

    @contextmanager
    def _errors(self, doing: str, key: str) -> Iterator[None]:
        try:
            yield
        except AlreadyExistsError as exists:
            raise ObjectExistsError(self._error(problem_of_obstore(self._mask(str(exists))), doing, key)) from None
        except (BaseError, OSError) as error:
            raise self._error(problem_of_obstore(self._mask(str(error))), doing, key) from None
        except (ArithmeticError, TypeError, ValueError) as refused:
            unusable = Problem(Code.S3_ENDPOINT_UNUSABLE, quoted(self._mask(f"{type(refused).__name__}: {refused}")))
            raise self._error(unusable, doing, key) from None
        except BaseException as panic:
            if type(panic).__name__ not in {"PanicException", "RustPanic"}:
                raise
            broke = Problem(Code.S3_ENDPOINT_UNUSABLE, f"the client obstore broke: {type(panic).__name__}")
            raise self._error(broke, doing, key) from None

    def _error(self, problem: Problem, doing: str, key: str) -> ReplicationError:
        return problem.error(self.access.about, Attempted(doing, self._prefix + key, self.access.region))

    def _mask(self, text: str) -> str:
        masker: Masker = self.access.credentials.masker() if self.access.credentials else str
        return masker(text)


def _raise_if_the_bucket_is(missing: FileNotFoundError) -> None:
    """Raise the error again if the bucket is missing, and not the object."""
    if "<Code>NoSuchBucket" in str(missing):
        raise missing


def s3_store(access: S3Access, headers: Mapping[str, str], attempts: int) -> S3Store:
    """Make an obstore client; `headers` go with each of its requests, and are signed."""
    retries: RetryConfig = {
        "max_retries": attempts - 1,
        "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=10), "base": 2},
        "retry_timeout": timedelta(seconds=access.read_timeout),
    }
    return S3Store(
        config=store_config(access),
        client_options=client_options(access, headers),
        retry_config=retries,
        credential_provider=access.credentials,
    )


def store_config(access: S3Access) -> S3Config:
    """Return every setting of the store that is not about how credentials are found."""
    return {
        # The bucket's own URL, with the bucket in host or path as botocore resolved it.
        "endpoint": access.url,
        "aws_endpoint_url_s3": access.url,
        "virtual_hosted_style_request": True,
        "bucket": access.bucket,
        "region": access.region,
        "skip_signature": access.credentials is None,
        "unsigned_payload": False,
        "s3_express": False,
        "conditional_put": "etag",
        "copy_if_not_exists": "multipart",
        "disable_tagging": False,
        "disable_bulk_delete": True,
        "request_payer": access.options.requester_pays,
        **({"checksum_algorithm": "SHA256"} if access.options.checksum == "sha256" else {}),
    }


def client_options(access: S3Access, headers: Mapping[str, str]) -> ClientConfig:
    """Return the settings of the HTTP client. What is left out has obstore's default: it is not in the environment."""
    options: dict[str, Any] = {
        "allow_http": access.url.startswith("http://"),
        "timeout": timedelta(seconds=access.read_timeout),
        "connect_timeout": timedelta(seconds=access.connect_timeout),
        "allow_invalid_certificates": access.trust is False,
        "user_agent": access.user_agent,
        "default_headers": dict(headers),
        # No proxy of the environment; and a redirect to another host, which obstore would follow with the session
        # token, goes nowhere.
        "proxy_url": BLOCKED_PROXY,
        "proxy_excludes": urlsplit(access.url).hostname or "",
    }
    if isinstance(access.trust, str):
        options["root_certificate"] = Path(access.trust).read_bytes()
    return cast("ClientConfig", options)


def _entry(path: str, found: Any) -> Entry:
    return Entry(path, found["size"], found["e_tag"], found["last_modified"])
