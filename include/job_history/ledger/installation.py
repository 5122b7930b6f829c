"""The id of the installation that a ledger belongs to: two that mean to share a ledger see whether they do."""

from __future__ import annotations

import socket
import uuid

import msgspec

from job_history.errors import PermanentError
from job_history.errors.catalogue import finding
from job_history.errors.code import Code
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
    if (found := _read(ledger)) is not None:
        return found
    made = Installation(uuid.uuid4().hex)
    if ledger.create(PATH, msgspec.json.encode(made)):
        return made.id
    return _read(ledger) or made.id


def check_installation(ledger: Storage, planned: str, planned_on: str) -> None:
    """Raise PermanentError, with code LEDGER_NOT_SHARED, unless the ledger has the id that the plan found in its own.

    `planned_on`: the host of the plan.
    """
    if _read(ledger) == planned:
        return
    facts = {"here": socket.gethostname(), "there": planned_on, "path": ledger.url(PATH)}
    found = finding(Code.LEDGER_NOT_SHARED, "The ledger", **facts)
    raise PermanentError(str(found), code=found.code, facts=facts)


def _read(ledger: Storage) -> str | None:
    content = ledger.read(PATH)
    return None if content is None else decoded(content, Installation, ledger.url(PATH)).id
