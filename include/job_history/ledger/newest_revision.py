"""Finds the newest revision of a window's receipt, and checks that no earlier one is lost or was written again."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from msgspec.structs import replace

from job_history.errors import TransientError
from job_history.errors.code import Code
from job_history.ledger.decoding import ledger_error
from job_history.ledger.merge import merge
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_files import ReceiptFiles, check_follows, decode_receipt, receipt_files, revision_path
from job_history.model.window import Window
from job_history.storage import Storage

CHECKED_AFTER = timedelta(hours=6)


class Reading(NamedTuple):
    """A receipt of version 1, and the hash of its bytes."""

    receipt: Receipt
    sha256: str


class Newest(NamedTuple):
    """`sha256`: of the bytes of the newest revision. `version_1`: a reading that is part of no revision yet: a release
    of version 1 has written it after the first revision.
    """

    receipt: Receipt
    sha256: str
    version_1: Reading | None = None

    @property
    def with_version_1(self) -> Receipt:
        """The receipt as the next revision will have it, with the item lists of both readings."""
        if self.version_1 is None:
            return self.receipt
        merged = merge(self.receipt, self.version_1.receipt) or self.receipt
        others = [path for path in (*self.receipt.items, *self.version_1.receipt.items) if path not in merged.items]
        return replace(merged, revision=self.receipt.revision, items=[*others, *merged.items])


def newest_in(ledger: Storage, folder: str, window: Window) -> tuple[ReceiptFiles, Newest | None]:
    # One hour mostly has one revision or none, and a listing costs about twelve times as much as reading a file.
    first = ledger.read(revision_path(folder, 1))
    if first is None:
        check_first_is_not_lost(ledger, folder, window)
        files = ReceiptFiles(folder, has_version_1=True)
        newest = newest_of(ledger, files, [ledger.read(path) for path in files.paths])
        return files._replace(has_version_1=newest is not None), newest
    files = receipt_files(ledger.paths(folder)).get(folder, ReceiptFiles(folder, 1))
    known = {revision_path(folder, 1): first}
    return files, newest_of(ledger, files, [known.get(path) or ledger.read(path) for path in files.paths])


def newest_as_seen(ledger: Storage, files: ReceiptFiles, window: Window) -> Newest | None:
    """Read the receipt in these files, or the newest one if they are not there any more."""
    contents = [ledger.read(path) for path in files.paths]
    if files.revision and contents[0] is None:
        return newest_in(ledger, files.folder, window)[1]
    return newest_of(ledger, files, contents)


def newest_of(ledger: Storage, files: ReceiptFiles, contents: list[bytes | None]) -> Newest | None:
    """Decode what the paths of `files` contain."""
    _check_whole(ledger, files)
    readings = {
        path: Reading(decode_receipt(content, path, ledger.url(path)), hashlib.sha256(content).hexdigest())
        for path, content in zip(files.paths, contents, strict=True)
        if content is not None
    }
    version_1 = readings.get(revision_path(files.folder, 0))
    if not files.revision:
        return None if version_1 is None else Newest(_with_own_hash(version_1), version_1.sha256)
    for number in (files.revision, *range(1, min(files.revision, 3))):
        if (path := revision_path(files.folder, number)) not in readings:
            raise TransientError(f"{ledger.url(path)} was listed and is not there. Try again.")
    if files.revision > 1:
        first, second = (revision_path(files.folder, number) for number in (1, 2))
        check_follows(readings[second].receipt, readings[first].sha256, ledger.url(second))
    newest = Newest(*readings[revision_path(files.folder, files.revision)])
    if version_1 is None or version_1.sha256 == newest.receipt.version_1_sha256:
        return newest
    is_new = merge(newest.receipt, version_1.receipt) is not None
    return newest._replace(version_1=version_1) if is_new else newest


def _with_own_hash(version_1: Reading) -> Receipt:
    return replace(version_1.receipt, version_1_sha256=version_1.sha256)


def check_first_is_not_lost(ledger: Storage, folder: str, window: Window) -> None:
    """Raise PermanentError if there is a second revision, and no first one.

    Windows that ended a few hours ago are not looked at, which saves a request of each account in each hourly run: if
    one is created again, each later reading of the window notices it, the next reconciliation's at the latest.
    """
    if datetime.now(UTC) - window.end < CHECKED_AFTER or ledger.read(revision_path(folder, 2)) is None:
        return
    # Another run may have created both since.
    if ledger.read(first := revision_path(folder, 1)) is None:
        raise ledger_error(Code.LEDGER_FILE_MISSING, ledger.url(first))


def _check_whole(ledger: Storage, files: ReceiptFiles) -> None:
    """Raise PermanentError if a revision before the newest is missing; a listing may lack one that was just written."""
    path = revision_path(files.folder, files.missing)
    if files.missing and ledger.read(path) is None:
        raise ledger_error(Code.LEDGER_FILE_MISSING, ledger.url(path))
