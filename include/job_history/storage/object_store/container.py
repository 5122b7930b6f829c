"""A container of Azure Blob Storage, or a bucket of Google Cloud Storage: one class, two ways to make its client.

obstore reads the environment for every setting that it is not given, so it is given all of them.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections import deque
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from obstore.store import AzureStore, GCSStore, ObjectStore

from job_history.errors import PermanentError, ReplicationError
from job_history.errors.code import Code
from job_history.errors.masking import mask_secrets
from job_history.storage.object_store.access import StoreAccess
from job_history.storage.object_store.problems import MISSING_CONTAINER, problem_of_store, reports_existing, store_error
from job_history.storage.obstore_errors import before_debug
from job_history.storage.obstore_files import ObstoreFiles
from job_history.storage.problems import Problem, quoted

if TYPE_CHECKING:
    # They exist for type checkers only.
    from obstore.store import ClientConfig, RetryConfig

# For these obstore has no value that means "none". The encryption key would be needed to read every blob.
_AZURE_VARIABLES = ("AZURE_ENCRYPTION_KEY",)
_GOOGLE_VARIABLES = ("GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_PATH", "GOOGLE_SERVICE_ACCOUNT_KEY")


class Container(ObstoreFiles):
    """What Azure and Google have in common."""

    type: str

    def __init__(self, access: StoreAccess, *, prefix: str = "", attempts: int = 1) -> None:
        super().__init__(prefix)
        self.access = access
        # A token that an identity service gave is in no connection, and a store may repeat it. Requests that are under
        # way may still have the one before.
        self._given = deque[str](maxlen=4)
        with self._errors("use", ""):
            self._reader = self._writer = self.store(attempts)

    @abstractmethod
    def store(self, attempts: int) -> ObjectStore:
        """Make the client, which sends a request at most `attempts` times."""

    def credentials(self) -> Mapping[str, Any]:
        """Return the credentials of the next requests, and remember them for masking."""
        found = self.access.credentials() if self.access.credentials else {}
        self._given += [value for value in found.values() if isinstance(value, str) and value not in self._given]
        return found

    def description(self) -> dict[str, Any]:
        return {"type": self.type, "bucket": self.access.container, "host": self.access.host}

    def error_of(self, text: str, doing: str, key: str) -> ReplicationError:
        if doing == "use":  # the client could not be made
            return self.unusable(before_debug(text), doing, key)
        return store_error(problem_of_store(self._mask(text)), self.access.about, doing, key)

    def unusable(self, text: str, doing: str, key: str) -> ReplicationError:
        problem = Problem(Code.STORE_ENDPOINT_UNUSABLE, quoted(self._mask(text)))
        return store_error(problem, self.access.about, doing, key)

    def reports_missing_bucket(self, text: str) -> bool:
        return any(code in text for code in MISSING_CONTAINER)

    def reports_existing(self, error: Exception) -> bool:
        return reports_existing(str(error), by_status=super().reports_existing(error))

    def _mask(self, text: str) -> str:
        return mask_secrets(self.access.mask(text), self._given)

    def _provider(self) -> Any:
        return self.credentials if self.access.credentials else None

    def _refuse(self, variables: tuple[str, ...]) -> None:
        for name in variables:
            if name in os.environ:
                raise PermanentError(
                    f"{self.access.about} cannot be used while {name} is in the environment of this process, because "
                    "it would count beside the connection. Remove it there."
                )

    def _client_options(self) -> ClientConfig:
        return {
            "allow_http": self.access.url.startswith("http://"),
            "timeout": timedelta(seconds=self.access.read_timeout),
            "connect_timeout": timedelta(seconds=self.access.connect_timeout),
            "allow_invalid_certificates": False,
        }

    def _retries(self, attempts: int) -> RetryConfig:
        return {
            "max_retries": attempts - 1,
            "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=10), "base": 2},
            "retry_timeout": timedelta(seconds=self.access.read_timeout),
        }


class AzureContainer(Container):
    """A container of Azure Blob Storage."""

    type = "azure_blob"

    def store(self, attempts: int) -> ObjectStore:
        self._refuse(_AZURE_VARIABLES)
        return AzureStore(
            config={
                "account_name": self.access.account,
                "container_name": self.access.container,
                "endpoint": self.access.url.rstrip("/"),
                "use_emulator": False,
                "use_fabric_endpoint": False,
                "use_azure_cli": False,
                "skip_signature": self.access.credentials is None,
                "disable_tagging": True,
            },
            client_options=self._client_options(),
            retry_config=self._retries(attempts),
            credential_provider=self._provider(),
        )


class GoogleBucket(Container):
    """A bucket of Google Cloud Storage."""

    type = "google_storage"

    def store(self, attempts: int) -> ObjectStore:
        self._refuse(_GOOGLE_VARIABLES)
        return GCSStore(
            config={
                "bucket": self.access.container,
                "base_url": self.access.url.rstrip("/"),
                "skip_signature": self.access.credentials is None,
            },
            client_options=self._client_options(),
            retry_config=self._retries(attempts),
            credential_provider=self._provider(),
        )


def open_container(kind: str, access: StoreAccess, *, prefix: str = "", attempts: int = 1) -> Container:
    """Return a client of the container. `kind`: the type of its destination. Use it inside a task only."""
    clients = {client.type: client for client in (AzureContainer, GoogleBucket)}
    return clients[kind](access, prefix=prefix, attempts=attempts)
