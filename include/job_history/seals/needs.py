"""What sealing needs of the installation, and its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from job_history.destinations.kind import DocumentStore
from job_history.errors import ReplicationError, TransientError
from job_history.ledger.status_file import SealHead
from job_history.seals.signer import Signer

RED_AFTER = timedelta(hours=24)


class NoTimeError(TransientError):
    """The report has no time left to ask a bucket."""


class AccountPlace(NamedTuple):
    """Where an account's seals are copied to. `open` returns None for a destination that keeps no objects."""

    prefix: str
    open: Callable[[], DocumentStore | None]


class Witness(NamedTuple):
    """Who gets the heads of an account's chains. `name`: accounts with the same one share a message."""

    name: str
    send: Callable[[bytes], None]


@dataclass(frozen=True)
class Sealing:
    """What sealing needs of the installation.

    `signer` returns None if seals are not signed, and raises PermanentError or TransientError if the key cannot be
    used. `place_of` returns None for an account that is no longer in the Variable.
    """

    signer: Callable[[], Signer | None]
    place_of: Callable[[int], AccountPlace | None]
    witness_of: Callable[[int], Witness | None] = lambda _: None

    def place_or_error(self, user_id: int) -> AccountPlace | None:
        """Return the place of an account; if the accounts cannot be read, one whose `open` raises the error."""
        try:
            return self.place_of(user_id)
        except ReplicationError as error:
            unreadable = error

        def away() -> DocumentStore | None:
            raise unreadable

        return AccountPlace("", away)


@dataclass
class SealReport:
    """`heads` by `<user_id>/<kind>`; `problems` make a run red, `warnings` do not.

    `unsealed`: the number of windows that wait for a seal; None: the ledger could not be asked. `failing`: the chains,
    as in `heads`, with a problem or a warning.
    """

    heads: dict[str, SealHead] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    unsealed: int | None = 0
    failing: set[str] = field(default_factory=set)
