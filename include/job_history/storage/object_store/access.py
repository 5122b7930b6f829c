"""How requests reach a container of Azure or a bucket of Google Cloud."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from job_history.errors.masking import Masker

Credentials = Callable[[], Mapping[str, Any]]
"""Returns the credentials of the next requests, in obstore's form; it may ask a service for them."""


@dataclass(frozen=True, kw_only=True)
class StoreAccess:
    """What a connection gives.

    `url`: of the account (Azure), or of the service (Google). `account`: the storage account's name, for Azure only.
    `credentials` is None for requests without any. `mask` takes the connection's secrets out of a text. Seconds.
    """

    container: str
    url: str
    account: str = ""
    credentials: Credentials | None
    mask: Masker
    connect_timeout: float = 10.0
    read_timeout: float = 60.0

    @property
    def host(self) -> str:
        """The store's host for receipts; an emulator has the account in the path."""
        parts = urlsplit(self.url)
        return (parts.netloc + parts.path).rstrip("/")

    @property
    def about(self) -> str:
        """The container as messages name it."""
        return f"Container {self.container} at {self.url.rstrip('/')}"
