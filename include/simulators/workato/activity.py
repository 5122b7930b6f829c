"""The activity log: a workspace's admin events, in the shape of the API, which differs from that of a streamed file.

Documented: the parameters and the objects of an entry. Inferred: newest first, and that `page[after]` is the id of the
last entry that was read. Unknown, so chosen: `from` and `to` are both inclusive, and an event of the system has no
`user`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from simulators.job_store import SampleEvent

from .account_json import name_of
from .answers import ApiError
from .job_json import WriteTime
from .parameters import Parameters
from .workspace import Workspace

_MAX_PAGE = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """An event with the id that the API has for it: the store's where that is a number, else one made from its
    place.
    """

    entry_id: int
    occurred_at: datetime
    event: SampleEvent


def entries_of(workspace: Workspace) -> list[Entry]:
    """A workspace's entries, newest first."""
    entries = [
        Entry(_id(event, number), datetime.fromisoformat(event.occurred_at).astimezone(UTC), event)
        for number, event in enumerate(workspace.events, start=1)
    ]
    return sorted(entries, key=lambda entry: (entry.occurred_at, entry.entry_id), reverse=True)


def activity_page(
    entries: Sequence[Entry], workspace: Workspace, parameters: Parameters, now: datetime, write_time: WriteTime
) -> dict[str, Any]:
    """One page; raises ApiError where a parameter cannot be read or `page[after]` is no entry's id."""
    after = parameters.integer("page[after]")
    if after is not None:
        place = next((index for index, entry in enumerate(entries) if entry.entry_id == after), None)
        if place is None:
            raise ApiError(400, f"page[after]: there is no entry {after}")
        entries = entries[place + 1 :]
    size = min(parameters.integer("page[size]", at_least=1) or _MAX_PAGE, _MAX_PAGE)
    wanted = _filter(parameters)
    page = [_json(entry, workspace, write_time) for entry in entries if entry.occurred_at <= now and wanted(entry)][
        :size
    ]
    return {"data": page, "total": len(page)}


def _filter(parameters: Parameters) -> Any:
    earliest, latest = parameters.instant("from"), parameters.instant("to")
    users = parameters.several("users_ids[]")
    kinds, no_kinds = parameters.several("include_resource_types[]"), parameters.several("exclude_resource_types[]")
    events, no_events = parameters.several("include_event_types[]"), parameters.several("exclude_event_types[]")

    def wanted(entry: Entry) -> bool:
        user = _object(entry.event.actor)
        kind = str((_object(entry.event.resource) or {}).get("type", "")).lower()
        return (
            (earliest is None or earliest <= entry.occurred_at)
            and (latest is None or entry.occurred_at <= latest)
            and (not users or str((user or {}).get("id")) in users)
            and (not kinds or kind in {name.lower() for name in kinds})
            and kind not in {name.lower() for name in no_kinds}
            and (not events or entry.event.event in events)
            and entry.event.event not in no_events
        )

    return wanted


def _json(entry: Entry, workspace: Workspace, write_time: WriteTime) -> dict[str, Any]:
    user = _object(entry.event.actor)
    document: dict[str, Any] = {
        "id": entry.entry_id,
        "event_type": entry.event.event,
        "timestamp": write_time(entry.occurred_at),
        "workspace": {
            "id": workspace.user_id,
            "name": name_of(workspace),
            "email": f"workspace{workspace.user_id}@example.com",
            "environment": "prod",
        },
        "details": _object(entry.event.details) or {},
        "resource": _object(entry.event.resource),
    }
    if user is not None:
        document["user"] = {name: user.get(name) for name in ("id", "name", "email")}
    return document


def _object(text: str | None) -> dict[str, Any] | None:
    value = None if text is None else json.loads(text)
    return value if isinstance(value, dict) else None


def _id(event: SampleEvent, number: int) -> int:
    return event.event_id if isinstance(event.event_id, int) else 9_000_000_000 + number
