"""What a destination that cannot recognise a repeat has acknowledged of a window, and what it may have besides.

The folder `_control/acknowledged/<user_id>/<kind>/<window>/<target>` has these files, each created once:

| name | is there |
| --- | --- |
| `<run>-<part>-<sha256 of a batch>.json` | after that batch was acknowledged: an `AcknowledgedBatch` |
| `under-way-<run>-<part>-<try>` | while a try of a load may have a request of unknown outcome: an `UnderWay` |
| `met-<run>-<part>-<try>` | once another load has seen that it is under way; empty |

A load writes its mark before its first request and looks at the folder after that, so of two loads at once the later
one sees the mark of the earlier one, which learns of it by the `met` file. From then on both look again after each
batch, and whichever sends a document second counts it as repeated.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from uuid import uuid4

import msgspec

from job_history.errors import ReplicationError
from job_history.ledger.acknowledged_batch import AcknowledgedBatch, TryOfLoad, UnderWay, digests
from job_history.ledger.decoding import decoded
from job_history.model.event_kind import EventKind
from job_history.model.slice import Slice
from job_history.model.window import Window
from job_history.storage import Storage

FOLDER = "_control/acknowledged"
_MOMENT = r"\d{8}T\d{6}(?:\.\d{6})?Z"
_NAME = re.compile(
    rf"(?P<mark>under-way-)?(?P<run>.+)-(?P<part>{_MOMENT}-{_MOMENT})-"
    r"(?(mark)(?P<try>[0-9a-f]{8})|[0-9a-f]{64}\.json)"
)
# A listing shows a thousand files: a load of more batches looks again less often, so that each look costs about one.
_FILES_IN_A_LISTING = 1_000


def window_folder(user_id: int, kind: EventKind, window: Window) -> str:
    """Return the folder of a window's acknowledgements, of all targets."""
    return f"{FOLDER}/{user_id}/{kind}/{window.slug}"


def count_repeated(ledger: Storage, slice_: Slice) -> int:
    """Return how many documents the slice's run has sent that may be at a target more than once.

    For a slice whose load did not end: one that did has counted them. Raises as `Acknowledgements` does.
    """
    folder = window_folder(slice_.user_id, slice_.kind, slice_.window)
    targets = {path.removeprefix(f"{folder}/").partition("/")[0] for path in ledger.paths(folder)}
    return sum(Acknowledgements(ledger, slice_, target).count_repeated() for target in sorted(targets))


class Acknowledgements:
    """What a load of one slice knows of its window at one target, and what it records of its own batches.

    Call `look` before the first document, `begin` before the first request, `add` after each acknowledged batch and
    `end` at the end; `withdraw` after a failure if it is known of each request whether it was stored. With `repair`,
    only what was acknowledged to the same run counts as sent. Files of other parts are not read.

    Methods raise what the ledger raises, and PermanentError for a damaged file.
    """

    def __init__(self, ledger: Storage, slice_: Slice, target: str, *, repair: bool = False) -> None:
        """`target` names where documents go: a text without secrets that is safe in a path."""
        self._ledger = ledger
        self._folder = f"{window_folder(slice_.user_id, slice_.kind, slice_.window)}/{target}"
        self._run, self._part, self._repair = slice_.run, slice_.part, repair
        self._try = uuid4().hex[:8]
        self._name = f"{slice_.run}-{slice_.part.slug}"
        self._known: set[str] = set()
        self._own_batches = 0
        self._earlier_marks: list[str] = []
        self._is_met = False
        self._tries: dict[tuple[str, str], TryOfLoad] = {}

    def look(self) -> None:
        """Read what the folder has of the slice's part and was not read before, and meet the loads under way."""
        self._meet(self._read())

    def _read(self) -> set[str]:
        """Read what is new. Returns the marks of other tries."""
        names = [path.rpartition("/")[2] for path in self._ledger.paths(self._folder)]
        found = {name: match for name in names if (match := _NAME.fullmatch(name)) and self._concerns(match)}
        found.pop(self._mark, None)
        marks = {name for name, match in found.items() if match["mark"]}
        tries = dict(self._tries)  # a new one: another thread may be asking meanwhile
        new = [name for name in found if name not in self._known]
        for name, content in zip(new, self._ledger.read_all(map(self._path, new)), strict=True):
            if content is None:
                marks.discard(name)  # its load ended after the listing
                continue
            run, where = found[name]["run"], self._ledger.url(self._path(name))
            if name in marks:
                of_try = tries.setdefault((run, found[name]["try"]), TryOfLoad())
                of_try.next |= digests(decoded(content, UnderWay, where).next)
            else:
                batch = decoded(content, AcknowledgedBatch, where)
                tries.setdefault((run, batch.load), TryOfLoad()).add(batch)
        self._known.update(new)
        self._tries = tries
        under_way = {(found[name]["run"], found[name]["try"]) for name in marks}
        for key, of_try in tries.items():
            of_try.is_under_way = key in under_way
        return marks

    def has(self, document: str) -> bool:
        """Return whether the document (its SHA-256) need not be sent."""
        digest = bytes.fromhex(document)
        return any(
            digest in of_try.acknowledged
            for (run, _), of_try in self._tries.items()
            if not self._repair or run == self._run
        )

    def copies(self, document: str) -> int:
        """Return how many copies other tries and other runs may have sent, as far as it was looked."""
        digest = bytes.fromhex(document)
        return sum(of_try.copies(digest) for of_try in self._tries.values())

    def count_repeated(self) -> int:
        """Return how many documents this run has sent, to the end or in part, of which there may be several copies."""
        self._read()
        sent: set[bytes] = set()
        for (run, _), of_try in self._tries.items():
            if run == self._run:
                sent |= {each for each in of_try.acknowledged | of_try.begun | of_try.next if of_try.copies(each)}
        return sum(sum(of_try.copies(each) for of_try in self._tries.values()) > 1 for each in sent)

    def begin(self, first: Sequence[str]) -> None:
        """Mark that this try is under way with a batch that has these documents, and look again."""
        mark = UnderWay(next=list(first))
        self._ledger.create(self._path(self._mark), msgspec.json.encode(mark))
        self.look()

    def add(
        self, sha256: str, *, documents: list[str], repeated: list[str], begun: str | None, following: list[str]
    ) -> bool:
        """Record a batch by the SHA-256 of its bytes. Returns False if this run has recorded the same one before: then
        the name of the file is made of the try as well.

        For the documents, see `AcknowledgedBatch`.
        """
        batch = AcknowledgedBatch(load=self._try, documents=documents, repeated=repeated, begun=begun, next=following)
        self._own_batches += 1
        if self._create(sha256, batch):
            return True
        batch.repeated = documents
        self._create(hashlib.sha256(f"{sha256} {self._try}".encode()).hexdigest(), batch)
        return False

    def _create(self, sha256: str, batch: AcknowledgedBatch) -> bool:
        path = self._path(f"{self._name}-{sha256}.json")
        if not self._ledger.create(path, msgspec.json.encode(batch)):
            return False
        self._known.add(path.rpartition("/")[2])
        return True

    def look_again(self) -> None:
        """Look at the folder if another load is or was at it at the same time."""
        if not self._is_met:
            self._is_met = self._ledger.read(self._path(f"met-{self._name}-{self._try}")) is not None
        if self._is_met and self._own_batches % (1 + len(self._known) // _FILES_IN_A_LISTING) == 0:
            self.look()

    def withdraw(self) -> None:
        """Delete the mark of this try. One that cannot be deleted only makes later loads count too many repeats."""
        with suppress(ReplicationError):
            self._ledger.delete(self._path(self._mark))

    def end(self) -> None:
        """Delete the mark of this try, and those of earlier ones, whose documents it has sent again."""
        for mark in [*self._earlier_marks, self._mark]:
            self._ledger.delete(self._path(mark))

    @property
    def _mark(self) -> str:
        return f"under-way-{self._name}-{self._try}"

    def _concerns(self, match: re.Match[str]) -> bool:
        try:
            part = Window.from_slug(match["part"])
        except ValueError:
            return False
        return part.start < self._part.end and self._part.start < part.end

    def _meet(self, marks: Iterable[str]) -> None:
        """Take note of the tries with these marks, and let them know of this one."""
        own = f"under-way-{self._name}-"
        for mark in marks:
            if mark.startswith(own) and mark not in self._earlier_marks:
                self._earlier_marks.append(mark)
            met = f"met-{mark.removeprefix('under-way-')}"
            if met not in self._known:
                self._ledger.create(self._path(met), b"")
                self._known.add(met)
            self._is_met = True

    def _path(self, name: str) -> str:
        return f"{self._folder}/{name}"
