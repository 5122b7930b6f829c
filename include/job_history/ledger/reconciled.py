"""How far the reconciliation has come: `_control/reconciled/<moment>` names the end of the newest that finished.

The next one looks back at least that far, so that days on which none ran are not left out. The file has the accounts
that it could not compare, each with the moment until which they were: they are looked back for further.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple

import msgspec

from job_history.errors import PermanentError
from job_history.ledger.decoding import decoded
from job_history.model.timestamp import parse_time_slug, time_slug
from job_history.storage import Storage

log = logging.getLogger(__name__)

FOLDER = "_control/reconciled"
MAX_LOOK_BACK = timedelta(days=31)
Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class _Note(msgspec.Struct):
    behind: dict[int, Moment] = {}


class Reconciled(NamedTuple):
    """The newest finished reconciliation: where its look-back ended, and, by user_id, until when those accounts were
    compared that it did not compare.
    """

    until: datetime
    behind: Mapping[int, datetime] = {}


def read_reconciled(ledger: Storage) -> Reconciled | None:
    """Return the newest finished reconciliation; None if none has finished yet.

    One of the future, by a wrong clock, is left out: all hours until then would be skipped. So is a damaged one: the
    one before it leads further back. A folder that cannot be listed is a warning, and the look-back is as it is set.
    """
    now = datetime.now(UTC)
    moments = _moments(ledger)
    for path in [path for path, moment in moments.items() if moment > now]:
        log.warning("%s is of the future, and is left out: a clock is wrong.", ledger.url(path))
    for moment, path in sorted(((moment, path) for path, moment in moments.items() if moment <= now), reverse=True):
        try:
            content = ledger.read(path)
            if content is not None:
                return Reconciled(moment, decoded(content, _Note, ledger.url(path)).behind)
        except PermanentError as damaged:
            log.warning("The look-back begins earlier: %s", damaged)
    return None


def note_reconciled(ledger: Storage, start: datetime, until: datetime, behind: Iterable[int], done: set[int]) -> None:
    """Note that a reconciliation has finished whose look-back was from `start` to `until`.

    `behind`: the accounts that it could not compare, by user_id, and `done`: those that it compared. An earlier one
    takes nothing back. What cannot be written is a warning: the next one looks back further.
    """
    known = sorted((moment, path) for path, moment in _moments(ledger).items())
    # The newest one before is kept: if this host's clock is wrong, the others go on from there.
    earlier = [path for moment, path in known if moment < until][:-1]
    content = msgspec.json.encode(_Note(_still_behind(read_reconciled(ledger), start, until, behind, done)))
    try:
        ledger.create(f"{FOLDER}/{time_slug(until)}", content)
        ledger.delete_all([*earlier, *(path for moment, path in known if moment > datetime.now(UTC))])
    except PermanentError as unwritten:
        log.warning("The next reconciliation compares these hours again: %s", unwritten)


def _still_behind(
    last: Reconciled | None, start: datetime, until: datetime, behind: Iterable[int], done: set[int]
) -> dict[int, datetime]:
    # Those that are paused, or not in the Variable for now, were not compared either.
    before = dict(last.behind) if last else {}
    new = dict.fromkeys(behind, min(last.until if last else start, until))
    return {
        user_id: max(moment, until - MAX_LOOK_BACK)
        for user_id, moment in sorted((new | before).items())
        if user_id not in done
    }


def _moments(ledger: Storage) -> dict[str, datetime]:
    """Other files in the folder are not ours."""
    found: dict[str, datetime] = {}
    try:
        for path in ledger.paths(FOLDER):
            try:
                found[path] = parse_time_slug(path.rpartition("/")[2])
            except ValueError:
                continue
    except PermanentError as unreadable:
        log.warning("It is not known where the last reconciliation ended: %s", unreadable)
    return found
