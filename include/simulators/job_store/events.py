"""A sample of admin events: who did what in an account."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random
from typing import Any

from .clock import hours
from .payload import compact
from .rows import SampleEvent

_IDS_PER_HOUR = 10_000
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64) Chrome/76.0.3809.132 Safari/537.36"
_EVENTS = (
    "user_login",
    "user_logout",
    "recipe_created",
    "recipe_started",
    "recipe_stopped",
    "connection_created",
    "connection_disconnected",
    "folder_created",
    "package_exported",
    "team_invitation_created",
)


def sample_events(
    seed: int, user_id: int, start: datetime, end: datetime, events_per_hour: int
) -> Iterator[SampleEvent]:
    """The admin events that occur in [start, end), ordered by time, the same for the same seed, account and hour.

    One in ten has no id, as the platform's oldest events have none.
    """
    for hour in hours(start, end):
        random = Random(f"{seed}/{user_id}/admin/{hour:%Y-%m-%dT%H}")
        seconds = sorted(random.sample(range(3_600), events_per_hour))
        for index, second in enumerate(seconds):
            occurred_at = hour + timedelta(seconds=second)
            event = _event(random, user_id, int(hour.timestamp()) // 3_600 * _IDS_PER_HOUR + index, occurred_at)
            if start <= occurred_at < end:
                yield event


def _event(random: Random, user_id: int, event_id: int, occurred_at: datetime) -> SampleEvent:
    event = random.choice(_EVENTS)
    has_id = random.randrange(10) > 0
    actor = {"id": user_id, "handle": "janedoe", "email": "janedoe@example.com", "name": "Jane Doe"}
    request = {"ip_address": f"203.0.113.{random.randrange(256)}", "user_agent": _BROWSER}
    by_the_system = event == "recipe_stopped" and random.randrange(2) == 1
    if by_the_system:
        details: dict[str, Any] = {"force": True, "error": False, "stop_reason": "test_run_stop"}
    elif event == "package_exported":
        details = {}
    else:
        details = {"activity": "password_login", "request": request} if event == "user_login" else {"request": request}
    return SampleEvent(
        user_id=user_id,
        event_id=event_id if has_id else None,
        event=event,
        details=compact(details),
        actor=None if by_the_system else compact(actor),
        team=compact(actor),
        resource=compact(_resource(random, event, actor)),
        occurred_at=f"{occurred_at:%Y-%m-%dT%H:%M:%SZ}",
    )


def _resource(random: Random, event: str, actor: dict[str, Any]) -> dict[str, Any]:
    number = random.randrange(100_000, 999_999)
    kind = event.partition("_")[0]
    if kind == "recipe":
        return {"type": "Flow", "id": number, "name": "Sync opportunities"}
    if kind == "connection":
        return {"type": "SharedAccount", "id": number, "name": "Prod", "provider": "salesforce", "authorized": False}
    if kind == "folder":
        return {"type": "Folder", "id": number, "name": "Audit log folder", "path": "Home/Audit log folder"}
    if kind == "package":
        return {"type": "Package", "id": number, "folder_path": "Home/HR recipes", "file_name": "hr-recipes.zip"}
    if kind == "team":
        return {"type": "MemberInvitation", "id": number, "role": "Admin", "name": "John", "email": "john@example.com"}
    return {"type": "User", **actor}
