"""Folders as destinations of job history: a file for each document, below the path of an `fs` connection."""

import os
import tempfile
from pathlib import Path
from typing import Literal

from airflow.sdk import BaseHook
from pydantic import Field

from job_history.accounts.destination_settings import DestinationSettings
from job_history.destinations import Delivery, StoredObject
from job_history.destinations.kind import DestinationKind
from job_history.errors import TransientError
from job_history.model.place import Place


class FolderSettings(DestinationSettings):
    type: Literal["folder"]
    name: str = Field(pattern="^[a-z0-9-]{1,60}$", description="The folder below the connection's path.")


class Folder:
    def __init__(self, root, *, repair=False, dry_run=False):
        self.root, self.repair, self.dry_run = Path(root), repair, dry_run

    def deliver(self, documents, on_delivery):
        for document in documents:
            on_delivery(document, self._put(self.root / document.key, document.content()))

    def _put(self, path, content):
        try:
            if path.exists() and path.read_bytes() == content:
                return Delivery.ALREADY_PRESENT
            if path.exists() and not self.repair:
                return Delivery.CONFLICT
            if not self.dry_run:
                path.parent.mkdir(parents=True, exist_ok=True)
                with tempfile.TemporaryDirectory(dir=self.root) as temporary:
                    # The file gets its name when it is complete: the process may be killed at any time.
                    (Path(temporary) / "document").write_bytes(content)
                    (os.replace if self.repair else os.link)(Path(temporary) / "document", path)
        except FileExistsError:  # another task was faster
            return Delivery.ALREADY_PRESENT if path.read_bytes() == content else Delivery.CONFLICT
        except OSError as error:
            raise TransientError(f"The folder {self.root} cannot be written ({error.strerror}).") from None
        return Delivery.DELIVERED

    def listing(self, folder):
        for path in sorted((self.root / folder).rglob("*.json")):
            yield StoredObject(path.relative_to(self.root).as_posix(), path.stat().st_size, None)

    def read(self, key):
        return (self.root / key).read_bytes() if (self.root / key).exists() else None

    def description(self):
        return {"type": "folder", "bucket": str(self.root), "host": "folder"}


def _root(account):
    return Path(BaseHook.get_connection(account.destination.conn_id).extra_dejson["path"]) / account.destination.name


def _check(account):
    root = _root(account)

    def check():
        root.mkdir(parents=True, exist_ok=True)
        return []  # or findings; an exception that is raised here is a finding, too

    return check


KIND = DestinationKind(
    name="folder",
    title="Folder",
    settings=FolderSettings,
    connection_types=("fs",),
    open=lambda account, opening: Folder(_root(account), repair=opening.repair, dry_run=opening.dry_run),
    check=_check,
    place=lambda account: Place("folder", "folder", str(_root(account))),
    open_listing=lambda account: Folder(_root(account)),
    readable=True,
    recognises_repeats=True,
)
