"""A slice: the part of an account's window, for one kind of event, that one chain of tasks handles."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

from job_history.model.event_kind import EventKind
from job_history.model.window import Window

RUNS = "runs"
"""The folder of the staging area that contains a folder for each run."""


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """Small and plain, because it travels between tasks; each task looks up the account's settings again.

    `redriven`: its records come from the window's quarantine, not from the source.
    """

    run: str
    user_id: int
    name: str
    kind: EventKind = EventKind.JOBS
    window: Window
    part: Window
    number: int = 1
    of: int = 1
    redriven: bool = False

    @property
    def account(self) -> str:
        """Account and kind of event, in messages."""
        return self.kind.label(self.user_id, self.name)

    @property
    def label(self) -> str:
        """The name of the slice in the UI and in messages: `5234 Acme 2018-05-21T00:00:00Z 2/3`."""
        part = f" {self.number}/{self.of}" if self.of > 1 else ""
        return f"{self.account} {self.window.start_text}{part}"

    @property
    def about(self) -> str:
        """Account, window and part of the slice, in messages."""
        part = f", part {self.number} of {self.of} {self.part}" if self.of > 1 else ""
        return f"account {self.account}, window {self.window}{part}"

    @property
    def folder(self) -> str:
        """Where the slice's staged files are, below the staging path."""
        return f"{RUNS}/{self.run}/{self.user_id}/{self.kind}/{self.window.slug}/{self.number:04d}"

    def as_dict(self) -> dict[str, Any]:
        return msgspec.to_builtins(self)  # type: ignore[no-any-return]

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Slice:
        return msgspec.convert(plain, cls)


def run_folder(dag_id: str, run_id: str) -> str:
    """Return a folder name for a run: readable, safe in paths, and different for different runs."""
    digest = hashlib.sha256(f"{dag_id}\n{run_id}".encode()).hexdigest()[:8]
    return f"{re.sub(r'[^A-Za-z0-9]+', '-', run_id).strip('-')[:80]}-{digest}"
