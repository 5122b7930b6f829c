"""What a destination, a storage and a preflight need of a bucket; the same of each client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from job_history.storage.files import Files, Written


class Head(Protocol):
    """Size in bytes, ETag and version of an object."""

    @property
    def size(self) -> int: ...

    @property
    def e_tag(self) -> str | None: ...

    @property
    def version_id(self) -> str | None: ...


class Bucket(Files, Protocol):
    """A bucket, or a part of one below a prefix. Errors are PermanentError or TransientError that name the bucket.

    The awaitable methods may be called many at once, from one event loop.
    """

    def description(self) -> dict[str, Any]:
        """Return type, bucket and host, as receipts have them."""
        ...

    async def put(self, key: str, content: bytes, metadata: Mapping[str, str], *, create: bool) -> Written:
        """Write a JSON object. Raises ObjectExistsError if a `create` finds one."""
        ...

    async def head(self, key: str) -> Head | None:
        """Return size, ETag and version; None if there is no such object."""
        ...

    async def get(self, key: str) -> bytes | None:
        """Return the object; None if there is none."""
        ...

    def check_exists(self) -> None:
        """Raise PermanentError if there is no such bucket."""
        ...
