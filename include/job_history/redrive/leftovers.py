"""Files that a redrive leaves when it ends, or is killed."""

from __future__ import annotations

import msgspec

from job_history.errors import QuarantineReason
from job_history.ledger.quarantine import quarantine_folder
from job_history.ledger.receipt import REDRIVE, Receipt
from job_history.model.slice import Slice
from job_history.storage import Storage


class Taken(msgspec.Struct):
    """The files of the ledger, with their versions, to delete once the redrive's receipt is written."""

    versions: dict[str, str]

    @classmethod
    def of(cls, ledger: Storage, paths: list[str]) -> Taken:
        versions = {path: _version(ledger, path) for path in paths}
        return cls({path: version for path, version in versions.items() if version is not None})

    def save(self, staging: Storage, slice_: Slice) -> None:
        staging.write(_note(slice_), msgspec.json.encode(self))


def delete_taken(ledger: Storage, staging: Storage, slice_: Slice, receipt: Receipt) -> None:
    """Delete what a redrive took and `receipt` no longer names, and what it staged; the note is deleted last.

    A file that was written again since then belongs to another run, and stays.
    """
    note = staging.read(_note(slice_))
    if note is None:
        return
    for path, version in msgspec.json.decode(note, type=Taken).versions.items():
        if path not in receipt.quarantine and _version(ledger, path) == version:
            ledger.delete(path)
    run = slice_.folder.rpartition("/")[0]
    for path in [path for path in staging.paths(run) if path != _note(slice_)]:
        staging.delete(path)
    staging.delete_unfinished(run)
    staging.delete(_note(slice_))


def delete_leftovers(ledger: Storage, slice_: Slice, receipt: Receipt) -> None:
    """Delete the quarantine of redrives that never wrote their receipt: nothing names it."""
    for reason in QuarantineReason:
        for path in list(ledger.paths(quarantine_folder(slice_, reason))):
            of_redrive = f"/{REDRIVE}" in path or f"-{REDRIVE}" in path  # the second: by an earlier release
            if of_redrive and slice_.run not in path and path not in receipt.quarantine:
                ledger.delete(path)


def _note(slice_: Slice) -> str:
    return f"{slice_.folder}/taken.json"


def _version(ledger: Storage, path: str) -> str | None:
    return dict(ledger.versions(path.rpartition("/")[0])).get(path)
