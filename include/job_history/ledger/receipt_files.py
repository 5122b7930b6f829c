"""The files of a window's receipt in the ledger: their paths, and which of them there are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from job_history.model.event_kind import EventKind
from job_history.model.window import Window

VERSION_1 = "receipt.json"
_REVISION = re.compile(r"r(\d{6,})\.json")


class ReceiptFiles(NamedTuple):
    """The files of a window that say what its receipt is.

    `revision`: the number of the newest, 0 if there is none. `has_version_1`: there is a receipt of version 1.
    """

    folder: str
    revision: int = 0
    has_version_1: bool = False

    def __bool__(self) -> bool:
        return self.revision > 0 or self.has_version_1

    @property
    def paths(self) -> list[str]:
        """The newest revision and the receipt of version 1, as far as they exist."""
        numbers = [self.revision] * (self.revision > 0) + [0] * self.has_version_1
        return [revision_path(self.folder, number) for number in numbers]


def day_folder_of(user_id: int, kind: EventKind, window: Window) -> str:
    """Return the folder of the windows that begin on the same day."""
    return f"receipts/{user_id}/{kind}/{window.start:%Y%m%d}"


def window_folder(user_id: int, kind: EventKind, window: Window) -> str:
    """Return the folder of a window in the ledger: the revisions of its receipt, and the item lists beside them."""
    return f"{day_folder_of(user_id, kind, window)}/{window.slug}"


def receipt_path(user_id: int, kind: EventKind, window: Window, revision: int = 1) -> str:
    """Return the path of a revision of a window's receipt; 0 is that of version 1."""
    return revision_path(window_folder(user_id, kind, window), revision)


def revision_path(folder: str, revision: int) -> str:
    return f"{folder}/r{revision:06d}.json" if revision else f"{folder}/{VERSION_1}"


def receipt_files(paths: Iterable[str]) -> dict[str, ReceiptFiles]:
    """Return the receipt files among these paths, by the folder of their window."""
    found: dict[str, ReceiptFiles] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        files = found.get(folder, ReceiptFiles(folder))
        if name == VERSION_1:
            found[folder] = files._replace(has_version_1=True)
        elif number := _REVISION.fullmatch(name):
            found[folder] = files._replace(revision=max(files.revision, int(number[1])))
    return found
