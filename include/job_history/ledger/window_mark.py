"""The mark of an account's window: `<folder>/<user_id>/<kind>/<window>` in the ledger, whatever the file holds."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, Self

from job_history.ledger.receipt import Receipt
from job_history.model.event_kind import EventKind
from job_history.model.window import Window
from job_history.storage import Storage


class _Named(NamedTuple):
    user_id: int
    kind: EventKind
    window: Window


class WindowMark(_Named):
    """What a mark names. A subclass has its `folder`."""

    folder: ClassVar[str]

    @classmethod
    def of(cls, receipt: Receipt) -> Self:
        return cls(receipt.user_id, receipt.kind, receipt.window)

    @classmethod
    def at(cls, path: str) -> Self:
        """Return the window that a path in the folder marks. Raises ValueError if it marks none."""
        user_id, kind, slug = path.removeprefix(f"{cls.folder}/").split("/")
        mark = cls(int(user_id), EventKind(kind), Window.from_slug(slug))
        if mark.path != path:
            raise ValueError(f"{path} is not the path of a mark")
        return mark

    @property
    def path(self) -> str:
        return f"{self.folder}/{self.user_id}/{self.kind}/{self.window.slug}"

    def write(self, ledger: Storage) -> None:
        """Mark the window. Does nothing if it is marked. Raises what the ledger raises."""
        ledger.create(self.path, b"{}\n")
