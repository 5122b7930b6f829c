"""The item lists of a revision: those that its counts are of, and what else was delivered and must still be there."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from job_history.ledger.carry_forward import carry_forward
from job_history.ledger.items import ListHeader, new_list_path
from job_history.ledger.receipt import Receipt
from job_history.model.place import place_of
from job_history.storage import Storage


def with_carried_lists(ledger: Storage, merged: Receipt, other: Receipt, folder: str) -> Receipt:
    """Return the merged receipt with all that `other`, the receipt that did not give its counts, has as delivered.

    What was delivered to the same place goes into a new list of `gone` items in the window's `folder`; lists of another
    place go into `elsewhere`. Writes nothing if `other` has no list of its own. Raises PermanentError if a list is
    missing or damaged.
    """
    own = {*merged.items, *merged.elsewhere}
    if all(path in own for path in (*other.items, *other.elsewhere)):
        return merged
    merged = replace(merged, destination=_destination(merged, other))
    carried = carry_forward(
        ledger,
        [*other.items, *merged.gone_list, *other.elsewhere, *merged.elsewhere],
        merged.listed_items,
        ListHeader(merged.user_id, merged.kind, merged.window, merged.destination),
        new_list_path(folder, merged.runs[-1].run, "gone"),
        settings_changed=other.settings_hash != merged.settings_hash,
    )
    return replace(
        merged,
        items=[*merged.listed_items, *([carried.path] if carried.path else [])],
        elsewhere=carried.elsewhere,
        counts=replace(merged.counts, gone=carried.count),
    )


def _destination(merged: Receipt, other: Receipt) -> dict[str, Any]:
    """Return the destination of the receipt; a run that delivered nothing knows only what the settings name of it."""
    place = place_of(merged.destination)
    if not merged.listed_items and (place.name is None or place.is_same(place_of(other.destination))):
        return other.destination
    return merged.destination
