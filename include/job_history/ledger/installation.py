"""The id of the installation that a ledger belongs to: two that mean to share a ledger see whether they do."""

from __future__ import annotations

import uuid

import msgspec

from job_history.ledger.decoding import decoded
from job_history.storage import Storage

PATH = "_control/installation"


class Installation(msgspec.Struct, frozen=True):
    """`id` is random, and created once in the life of a ledger."""

    id: str
    version: int = 1

    def __post_init__(self) -> None:
        """Raise ValueError if there is no id."""
        if not self.id:
            raise ValueError("the id is empty")


def installation_of(ledger: Storage) -> str:
    """Return the id of a ledger; the first call creates it. Raises PermanentError if the file is damaged."""
    if (found := read_installation(ledger)) is not None:
        return found
    made = Installation(uuid.uuid4().hex)
    if ledger.create(PATH, msgspec.json.encode(made)):
        return made.id
    return read_installation(ledger) or made.id


def read_installation(ledger: Storage) -> str | None:
    """Return the id of a ledger; None if it has none yet. Raises PermanentError if the file is damaged."""
    content = ledger.read(PATH)
    return None if content is None else decoded(content, Installation, ledger.url(PATH)).id
