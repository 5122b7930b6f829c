"""Unsealed windows: `_control/unsealed/<user_id>/<kind>/<window>` is in the ledger while a revision waits for its seal.

Written only if sealing failed; one listing returns them all. The next report tries them again.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from job_history.ledger.receipt import Receipt
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.storage import Storage

FOLDER = "_control/unsealed"


class UnsealedWindow(NamedTuple):
    """A window whose newest revision has no seal yet."""

    user_id: int
    kind: EventKind
    window: Window

    @property
    def path(self) -> str:
        return f"{FOLDER}/{self.user_id}/{self.kind}/{self.window.slug}"

    @classmethod
    def of(cls, receipt: Receipt) -> UnsealedWindow:
        return cls(receipt.user_id, receipt.kind, receipt.window)


def unsealed_windows(ledger: Storage, *, since_before: datetime | None = None) -> list[UnsealedWindow]:
    """List the windows that wait for a seal; with `since_before` only those that have waited since then."""
    paths = ledger.paths(FOLDER) if since_before is None else ledger.paths_untouched_since(since_before, below=FOLDER)
    found = []
    for path in paths:
        try:
            user_id, kind, slug = path.removeprefix(f"{FOLDER}/").split("/")
            found.append(UnsealedWindow(int(user_id), EventKind(kind), Window.from_slug(slug)))
        except ValueError:
            continue
    return sorted(found)
