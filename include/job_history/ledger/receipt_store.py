"""Stores receipts in the ledger as revisions, each created once and never overwritten.

A window's revisions are `r000001.json`, `r000002.json`, ... in its folder; the highest number is the newest. A receipt
of version 1 is `receipt.json` in the same folder: it is read as revision 0, and never written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from job_history.errors import TransientError
from job_history.ledger.merge import MAX_RUNS_REMEMBERED, gives_counts, is_recorded, merge
from job_history.ledger.newest_revision import Newest, check_first_is_not_lost, newest_as_seen, newest_in, newest_of
from job_history.ledger.receipt import RECEIPT_VERSION, Receipt
from job_history.ledger.receipt_files import (
    ReceiptFiles,
    day_folder_of,
    receipt_files,
    receipt_path,
    revision_path,
    window_folder,
)
from job_history.ledger.receipt_history import read_history
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.storage import Storage


def read_receipt(ledger: Storage, user_id: int, kind: EventKind, window: Window) -> Receipt | None:
    """Read the newest revision of a receipt; None if there is none. Raises PermanentError if a file is damaged."""
    return look_up_receipt(ledger, user_id, kind, window).receipt


class FoundReceipt(NamedTuple):
    """The receipt of a window, None if there is none, and its files, for `record`."""

    files: ReceiptFiles
    receipt: Receipt | None


def look_up_receipt(ledger: Storage, user_id: int, kind: EventKind, window: Window) -> FoundReceipt:
    """Read the newest revision of a receipt. Raises as above."""
    files, newest = newest_in(ledger, window_folder(user_id, kind, window), window)
    return FoundReceipt(files, None if newest is None else newest.with_version_1)


def read_receipts(ledger: Storage, user_id: int, kind: EventKind, windows: Iterable[Window]) -> list[Receipt | None]:
    """Read the receipts of several windows, with one listing for each day. Raises as above."""
    folders = [(day_folder_of(user_id, kind, window), window_folder(user_id, kind, window)) for window in windows]
    files: dict[str, ReceiptFiles] = {}
    for day in dict.fromkeys(day for day, _ in folders):
        files |= receipt_files(ledger.paths(day))
    of_windows = [files.get(folder, ReceiptFiles(folder)) for _, folder in folders]
    return read_by_files(ledger, of_windows)


def read_by_files(ledger: Storage, of_windows: list[ReceiptFiles]) -> list[Receipt | None]:
    """Read the receipts in these files, in the order given."""
    return decode_by_files(ledger, of_windows, ledger.read_all(path for files in of_windows for path in files.paths))


def decode_by_files(
    ledger: Storage, of_windows: list[ReceiptFiles], contents: Iterator[bytes | None]
) -> list[Receipt | None]:
    """Return the receipts in these files; `contents` are those of their paths, in order."""
    newest = [newest_of(ledger, files, [next(contents) for _ in files.paths]) for files in of_windows]
    return [None if each is None else each.with_version_1 for each in newest]


def add_revision(ledger: Storage, own: Receipt, *, only_after: int | None = None) -> Receipt:
    """Add the receipt of one run to the window's record, and return the newest revision. Raises as below."""
    return record(ledger, own, only_after=only_after).receipt


class Recorded(NamedTuple):
    """The newest revision of a window; `is_new`: it was created just now. `sha256`: of the bytes of its file."""

    receipt: Receipt
    is_new: bool
    sha256: str


def record(
    ledger: Storage, own: Receipt, *, only_after: int | None = None, seen: ReceiptFiles | None = None
) -> Recorded:
    """Add the receipt of one run to the window's record, and return the newest revision.

    It creates nothing if the run is recorded already with the same outcome. If another run creates the next revision
    first, this one is merged with that. `only_after`: the revision that `own` was made of; raises TransientError if it
    is not the newest any more. `seen`: the files that the window had when the run was planned, which saves requests if
    they are still all.
    """
    folder = window_folder(own.user_id, own.kind, own.window)
    # Most windows have no revision yet, and trying to create the first one costs less than to look for one before.
    is_newest = only_after is not None
    first_look = ReceiptFiles(folder, has_version_1=True) if seen is None else seen
    newest = newest_in(ledger, folder, own.window)[1] if is_newest else newest_as_seen(ledger, first_look, own.window)
    if newest is None and seen is None:
        check_first_is_not_lost(ledger, folder, own.window)
    while True:
        if newest is not None and newest.version_1 is not None:
            if (made := _after(ledger, newest, newest.version_1.receipt, newest.version_1.sha256)) is not None:
                _create(ledger, made)
        else:
            if only_after is not None and (newest is None or newest.receipt.revision != only_after):
                raise TransientError(
                    f"Account {own.label}, window {own.window}: a run has written the receipt meanwhile, so this "
                    "was not recorded. Do it again."
                )
            made = _after(ledger, newest, own)
            if made is not None and _create(ledger, made):
                return Recorded(made, is_new=True, sha256=hashlib.sha256(receipt_bytes(made)).hexdigest())
            if made is None and is_newest and newest is not None:
                return Recorded(newest.receipt, is_new=False, sha256=newest.sha256)
        files, newest = newest_in(ledger, folder, own.window)
        is_newest = True
        if made is not None and files.revision < made.revision:
            _check_is_there(ledger, revision_path(folder, made.revision))


def first_revision(own: Receipt) -> Receipt:
    """Return the first revision of a window, made of the receipt of one run."""
    return replace(own, version=RECEIPT_VERSION, revision=1, previous_sha256=None)


def _after(ledger: Storage, newest: Newest | None, own: Receipt, version_1_sha256: str | None = None) -> Receipt | None:
    """Return the revision that `own` makes of the newest one; None if it adds nothing."""
    if newest is None:
        return first_revision(own)
    earlier = newest.receipt
    merged = merge(earlier, own)
    if merged is None or (len(earlier.runs) >= MAX_RUNS_REMEMBERED and _is_in_history(ledger, own)):
        return None
    # It needs pyarrow, which each reader of a receipt, the DAG processor too, would wait for.
    from job_history.ledger.carried_lists import with_carried_lists  # noqa: PLC0415

    other = own if gives_counts(earlier, own) else earlier
    return replace(
        with_carried_lists(ledger, merged, other, window_folder(own.user_id, own.kind, own.window)),
        version=RECEIPT_VERSION,
        revision=earlier.revision + 1,
        previous_sha256=newest.sha256,
        version_1_sha256=version_1_sha256 or earlier.version_1_sha256,
    )


def _is_in_history(ledger: Storage, own: Receipt) -> bool:
    """Return whether a run that the newest revision no longer names is in an earlier one with the same outcome."""
    history = read_history(ledger, own.user_id, own.kind, own.window)
    return any(all(is_recorded(entry, earlier) for entry in own.runs) for earlier in history)


def _create(ledger: Storage, made: Receipt) -> bool:
    path = receipt_path(made.user_id, made.kind, made.window, made.revision)
    return ledger.create(path, receipt_bytes(made))


def receipt_bytes(receipt: Receipt) -> bytes:
    """Return the bytes of a revision's file, as this release writes them."""
    return msgspec.json.format(msgspec.json.encode(receipt), indent=1)


def _check_is_there(ledger: Storage, path: str) -> None:
    """Raise an error if a file that could not be created, because it exists, cannot be read."""
    if ledger.read(path) is None:
        raise TransientError(f"{ledger.url(path)} could not be created, and is not there. Try again.")
