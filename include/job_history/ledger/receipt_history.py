"""Reads all receipts of a window, and checks that each revision was made of the one before."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from job_history.errors.code import Code
from job_history.ledger.decoding import ledger_error
from job_history.ledger.newest_revision import newest_of
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_files import (
    ReceiptFiles,
    check_follows,
    decode_receipt,
    receipt_files,
    revision_path,
    window_folder,
)
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.storage import Storage


def read_history(ledger: Storage, user_id: int, kind: EventKind, window: Window) -> list[Receipt]:
    """Read all revisions of a window's receipt, the oldest first. Raises as `history_in`."""
    folder = window_folder(user_id, kind, window)
    return history_in(ledger, receipt_files(ledger.paths(folder)).get(folder, ReceiptFiles(folder))).receipts


class History(NamedTuple):
    """All receipts of a window, the oldest first, and the one that they come to: None if there are none."""

    receipts: list[Receipt]
    newest: Receipt | None


def history_in(ledger: Storage, files: ReceiptFiles) -> History:
    """Read all receipts in these files. Raises PermanentError if one is damaged, missing, or not the one that the next
    revision was made of.
    """
    numbers = [*([0] if files.has_version_1 else []), *range(1, files.revision + 1)]
    paths = [revision_path(files.folder, number) for number in numbers]
    contents = dict(zip(paths, ledger.read_all(paths), strict=True))
    newest = newest_of(ledger, files, [contents[path] for path in files.paths])
    made: list[Receipt] = []
    sha256 = None
    for path, content in contents.items():
        if content is None:
            raise ledger_error(Code.LEDGER_FILE_MISSING, ledger.url(path))
        made.append(decode_receipt(content, path, ledger.url(path)))
        # A release that was rolled back may have written its receipt again after the first revision.
        if made[-1].revision > 1:
            check_follows(made[-1], sha256, ledger.url(path))
        sha256 = hashlib.sha256(content).hexdigest()
    return History(made, None if newest is None else newest.with_version_1)
