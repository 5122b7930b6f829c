"""How far the reconciliation has come: `_control/reconciled/<moment>` names the end of the newest that finished.

The next one looks back at least that far, so that days on which none ran are not left out.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from job_history.storage import Storage

log = logging.getLogger(__name__)

FOLDER = "_control/reconciled"
_FORM = "%Y%m%dT%H%M%SZ"


def reconciled_until(ledger: Storage) -> datetime | None:
    """Return where the look-back of the newest finished reconciliation ended; None if none has finished yet.

    A moment of the future, by a wrong clock, is left out: all hours until then would be skipped.
    """
    now = datetime.now(UTC)
    moments = _moments(ledger)
    for path in [path for path, moment in moments.items() if moment > now]:
        log.warning("%s is of the future, and is left out: a clock is wrong.", ledger.url(path))
    return max((moment for moment in moments.values() if moment <= now), default=None)


def note_reconciled(ledger: Storage, until: datetime) -> None:
    """Note that a reconciliation has finished whose look-back ended then. An earlier one takes nothing back."""
    known = sorted((moment, path) for path, moment in _moments(ledger).items())
    # The newest one before is kept: if this host's clock is wrong, the others go on from there.
    earlier = [path for moment, path in known if moment < until][:-1]
    ledger.create(f"{FOLDER}/{until.astimezone(UTC):{_FORM}}", b"{}\n")
    ledger.delete_all([*earlier, *(path for moment, path in known if moment > datetime.now(UTC))])


def _moments(ledger: Storage) -> dict[str, datetime]:
    """Other files in the folder are not ours; without any, the look-back is as long as it is set."""
    found: dict[str, datetime] = {}
    for path in ledger.paths(FOLDER):
        try:
            found[path] = datetime.strptime(path.rpartition("/")[2], _FORM).replace(tzinfo=UTC)
        except ValueError:
            continue
    return found
