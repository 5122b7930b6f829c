"""The entries of a workspace's activity log, page by page.

Documented: `page[after]`, `page[size]` (100 at most), `from` and `to` in ISO 8601 to the millisecond; the objects of an
entry. Inferred: that `page[after]` is the id of the last entry that was read. Unknown, and so not relied on: the order,
whether `from` and `to` are inclusive, and whether a page that is not full is the last.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from job_history.errors import BadRecordError, PermanentError, TransientError
from job_history.errors.code import Code
from job_history.model.admin_event import EventRecord
from job_history.model.ids import Id
from job_history.model.window import Window
from job_history.sources.workato.answers import Envelope
from job_history.sources.workato.client import WorkatoClient
from job_history.sources.workato.fields import (
    Fields,
    id_field,
    json_field,
    moment_field,
    other_fields,
    readable,
    text_field,
)

# Documented: the default, and the most that a page can have.
ENTRIES_A_PAGE = 100
# Of a second listing, so that its pages are cut at other places.
ENTRIES_A_SHORTER_PAGE = 67
# More than is wanted is asked for, because it is not documented how the ends are taken; what lies outside is left out
# here.
_MARGIN = timedelta(seconds=1)

_MAPPED = frozenset({"id", "event_type", "event", "timestamp", "details", "user", "team", "resource"})
_IDENTIFYING = ("id", "event_type", "timestamp")


def entries(client: WorkatoClient, window: Window, *, page_size: int = ENTRIES_A_PAGE) -> Iterator[Fields]:
    """Yield each entry that occurred in the window once. Raises TransientError if that would never end.

    An entry whose time cannot be read counts to the window that it was listed for, and is quarantined there.
    """
    seen: set[Id] = set()
    for page in _pages(client, window, page_size):
        for entry in page:
            moment, entry_id = moment_field(entry, "timestamp"), entry_id_of(entry)
            if entry_id in seen or (moment is not None and moment not in window):
                continue
            if entry_id is not None:
                seen.add(entry_id)
            yield entry


def must_show_activity(client: WorkatoClient) -> None:
    """Ask for one entry. Raises PermanentError or TransientError if the token may not have it."""
    _page(client, {"page[size]": 1})


def event_record(entry: Fields, *, user_id: int) -> EventRecord:
    """Make the record of an entry; what cannot be read becomes the record's fault."""
    try:
        return _event_record(entry, user_id)
    except BadRecordError as fault:
        known = readable(entry, _IDENTIFYING)
        return EventRecord(
            user_id=user_id,
            event_id=known["id"],
            event=known["event_type"],
            occurred_at=known["timestamp"],
            fault=fault.reason,
            fault_explanation=fault.explanation,
        )


def _event_record(entry: Fields, user_id: int) -> EventRecord:
    # What the platform's documents call a team is the entry's workspace.
    team = "team" if "team" in entry else "workspace"
    return EventRecord(
        user_id=user_id,
        event_id=id_field(entry, "id"),
        event=text_field(entry, "event_type") or text_field(entry, "event"),
        occurred_at=text_field(entry, "timestamp"),
        details=_where_there(entry, "details"),
        user=_where_there(entry, "user"),
        team=_where_there(entry, team),
        resource=_where_there(entry, "resource"),
        extra=other_fields(entry, _MAPPED | {team}),
    )


def _pages(client: WorkatoClient, window: Window, page_size: int) -> Iterator[list[Fields]]:
    position: dict[str, str | int] = {}
    used: set[Id] = set()
    while page := _page(client, {"from": _written(window.start - _MARGIN), **_rest(window, page_size), **position}):
        yield page
        last = next((entry_id for entry in reversed(page) if (entry_id := entry_id_of(entry)) is not None), None)
        if last is None or last in used:
            raise TransientError(
                f"{client}: the activity log turns in a circle (a page ends with "
                f"{'no id' if last is None else f'entry {last}, as an earlier one did'}). It is tried again."
            )
        used.add(last)
        position = {"page[after]": last}


def _rest(window: Window, page_size: int) -> dict[str, str | int]:
    return {"to": _written(window.end + _MARGIN), "page[size]": page_size}


def _page(client: WorkatoClient, parameters: dict[str, str | int]) -> list[Fields]:
    envelope = client.get("activity_logs", parameters)
    try:
        if "data" in envelope:
            entries = msgspec.json.decode(envelope["data"], type=list[Fields])
            if not entries and "page[after]" not in parameters:
                _check_that_there_is_none(client, envelope)
            return entries
        detail = f"an object with {sorted(envelope)[:5]}"
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        detail = str(fault)
    raise PermanentError(
        f"{client} gives its activity log in a way that is not documented: {detail}. Nothing was read.",
        code=Code.WORKATO_UNDOCUMENTED,
        detail=detail,
    )


def _check_that_there_is_none(client: WorkatoClient, envelope: Envelope) -> None:
    """Raise TransientError if the total (documented) of a log's only page contradicts that it is empty."""
    total = bytes(envelope.get("total", b"0"))
    if total.isdigit() and int(total):
        raise TransientError(
            f"{client} gives an activity log without an entry, and a total of {int(total):,}. Nothing was read; the "
            "next try reads it again."
        )


def entry_id_of(entry: Fields) -> Id | None:
    """Return an entry's id, or None if it has none that could be read."""
    try:
        return id_field(entry, "id")
    except BadRecordError:
        return None


def _where_there(entry: Fields, name: str) -> str | None:
    text = json_field(entry, name)
    return None if text == "null" else text


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
