"""Reads the receipts of many accounts together: one listing for each account and day, many requests in flight.

The receipt of one window is read without a listing, which costs as much as twelve files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, TypeVar

from job_history.errors import ReplicationError
from job_history.ledger.receipt import Receipt
from job_history.ledger.receipt_files import ReceiptFiles, day_folder_of, receipt_files, window_folder
from job_history.ledger.receipt_store import FoundReceipt, decode_by_files, look_up_receipt
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.storage import REQUESTS_AT_ONCE, Storage

Argument = TypeVar("Argument")
Result = TypeVar("Result")


class AskedReceipts(NamedTuple):
    """The windows of an account and kind of event whose receipts are wanted."""

    user_id: int
    kind: EventKind
    windows: Sequence[Window]


def read_receipts_in_bulk(
    ledger: Storage, asked: Sequence[AskedReceipts]
) -> list[list[Receipt | None] | ReplicationError]:
    """Return only the receipts that `look_up_in_bulk` finds."""
    return [
        found if isinstance(found, ReplicationError) else [each.receipt for each in found]
        for found in look_up_in_bulk(ledger, asked)
    ]


def look_up_in_bulk(ledger: Storage, asked: Sequence[AskedReceipts]) -> list[list[FoundReceipt] | ReplicationError]:
    """Read the newest revision of each of these receipts, in the order of the windows.

    If one of an account's receipts cannot be read, the account has the error instead, and the others have theirs. All
    of the receipts are in memory at once.
    """
    alone = [each for each in asked if len(each.windows) == 1]
    with ThreadPoolExecutor(1 if ledger.is_local else REQUESTS_AT_ONCE, "receipts") as threads:
        of_one = threads.map(_or_error(lambda each: [_look_up(ledger, each)]), alone)
        of_several = iter(_by_listing(ledger, [each for each in asked if len(each.windows) != 1], threads))
        return [next(of_one if len(each.windows) == 1 else of_several) for each in asked]


def _look_up(ledger: Storage, asked: AskedReceipts) -> FoundReceipt:
    return look_up_receipt(ledger, asked.user_id, asked.kind, asked.windows[0])


def _by_listing(
    ledger: Storage, asked: Sequence[AskedReceipts], threads: ThreadPoolExecutor
) -> list[list[FoundReceipt] | ReplicationError]:
    def of_all(ask: Callable[[str], Result], arguments: Sequence[str]) -> dict[str, Result | ReplicationError]:
        return dict(zip(arguments, threads.map(_or_error(ask), arguments), strict=True))

    folders = list(dict.fromkeys(day_folder_of(each.user_id, each.kind, window) for each, window in _each(asked)))
    listed = of_all(lambda day: receipt_files(ledger.paths(day)), folders)
    found = [_files_of(each, listed) for each in asked]
    paths = [path for of_windows in found if isinstance(of_windows, list) for each in of_windows for path in each.paths]
    contents = of_all(ledger.read, paths)
    return [
        of_windows if isinstance(of_windows, ReplicationError) else _decoded(ledger, of_windows, contents)
        for of_windows in found
    ]


def _each(asked: Sequence[AskedReceipts]) -> Iterator[tuple[AskedReceipts, Window]]:
    return ((each, window) for each in asked for window in each.windows)


def _files_of(
    asked: AskedReceipts, listed: dict[str, dict[str, ReceiptFiles] | ReplicationError]
) -> list[ReceiptFiles] | ReplicationError:
    of_windows: list[ReceiptFiles] = []
    for window in asked.windows:
        of_day = listed[day_folder_of(asked.user_id, asked.kind, window)]
        if isinstance(of_day, ReplicationError):
            return of_day
        folder = window_folder(asked.user_id, asked.kind, window)
        of_windows.append(of_day.get(folder, ReceiptFiles(folder)))
    return of_windows


def _decoded(
    ledger: Storage, of_windows: list[ReceiptFiles], contents: dict[str, bytes | ReplicationError | None]
) -> list[FoundReceipt] | ReplicationError:
    own = [contents[path] for files in of_windows for path in files.paths]
    for content in own:
        if isinstance(content, ReplicationError):
            return content
    try:
        decoded = decode_by_files(
            ledger, of_windows, iter([each for each in own if not isinstance(each, ReplicationError)])
        )
        return [FoundReceipt(*each) for each in zip(of_windows, decoded, strict=True)]
    except ReplicationError as error:
        return error


def _or_error(ask: Callable[[Argument], Result]) -> Callable[[Argument], Result | ReplicationError]:
    def asked(argument: Argument) -> Result | ReplicationError:
        try:
            return ask(argument)
        except ReplicationError as error:
            return error

    return asked
