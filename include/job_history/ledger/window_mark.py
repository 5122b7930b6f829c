"""The mark of an account's window: an empty file `<folder>/<user_id>/<kind>/<window>` in the ledger."""

from __future__ import annotations

from typing import NamedTuple, Self

from job_history.ledger.receipt import Receipt
from job_history.model.event_kind import EventKind
from job_history.model.window import Window


class WindowMark(NamedTuple):
    """What a mark names."""

    user_id: int
    kind: EventKind
    window: Window

    @classmethod
    def of(cls, receipt: Receipt) -> Self:
        return cls(receipt.user_id, receipt.kind, receipt.window)

    @classmethod
    def at(cls, path: str, folder: str) -> Self:
        """Return the window that a path in the folder marks. Raises ValueError if it marks none."""
        user_id, kind, slug = path.removeprefix(f"{folder}/").split("/")
        mark = cls(int(user_id), EventKind(kind), Window.from_slug(slug))
        if mark.path_in(folder) != path:
            raise ValueError(f"{path} is not the path of a mark")
        return mark

    def path_in(self, folder: str) -> str:
        return f"{folder}/{self.user_id}/{self.kind}/{self.window.slug}"
