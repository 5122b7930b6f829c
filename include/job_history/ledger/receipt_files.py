"""The files of a window's receipt in the ledger: their paths, and which of them there are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from job_history.errors.code import Code
from job_history.ledger.decoding import decoded, ledger_error
from job_history.ledger.receipt import Receipt
from job_history.model.event_kind import EventKind
from job_history.model.window import Window

VERSION_1 = "receipt.json"
_REVISION = re.compile(r"r(\d{6}|[1-9]\d{6,})\.json")


class ReceiptFiles(NamedTuple):
    """The files of a window that say what its receipt is.

    `revision`: the number of the newest, 0 if there is none. `has_version_1`: there is a receipt of version 1.
    `missing`: the lowest number below the newest that was not listed, 0 if all were.
    """

    folder: str
    revision: int = 0
    has_version_1: bool = False
    missing: int = 0

    def __bool__(self) -> bool:
        return self.revision > 0 or self.has_version_1

    @property
    def paths(self) -> list[str]:
        """The files to read: the newest revision, the receipt of version 1, and the first two revisions.

        A first revision that was lost is created again by a run that does not see the second one; then the second shows
        that it was made of another.
        """
        numbers = [self.revision] * (self.revision > 0) + [0] * self.has_version_1
        numbers += [2, 1] if self.revision > 2 else [1] if self.revision == 2 else []
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
    found: dict[str, set[int]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        if name == VERSION_1:
            found.setdefault(folder, set()).add(0)
        elif number := _REVISION.fullmatch(name):
            found.setdefault(folder, set()).add(int(number[1]))
    return {folder: _files(folder, numbers) for folder, numbers in found.items()}


def _files(folder: str, numbers: set[int]) -> ReceiptFiles:
    newest = max(numbers)
    missing = next((number for number in range(1, newest) if number not in numbers), 0)
    return ReceiptFiles(folder, newest, 0 in numbers, missing)


def decode_receipt(content: bytes, path: str, where: str) -> Receipt:
    """Decode the file of a receipt; `where` is its URL.

    Raises PermanentError as `decoded` does, and if the file is that of another path: a copy, or restored to a wrong
    place.
    """
    receipt = decoded(content, Receipt, where)
    own = receipt_path(receipt.user_id, receipt.kind, receipt.window, receipt.revision)
    if own != path:
        raise ledger_error(Code.LEDGER_FILE_DAMAGED, where, detail=f"it is the file of {own}")
    if not receipt.runs:
        raise ledger_error(Code.LEDGER_FILE_DAMAGED, where, detail="it has no run")
    return receipt


def check_follows(revision: Receipt, sha256: str | None, where: str) -> None:
    """Raise PermanentError if a revision was not made of the one before, which has this hash; `where` is its URL."""
    if revision.previous_sha256 != sha256:
        detail = f"it was made of another revision {revision.revision - 1} than the one beside it"
        raise ledger_error(Code.LEDGER_FILE_DAMAGED, where, detail=detail)
