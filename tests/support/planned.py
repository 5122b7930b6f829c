"""Plans over sources in memory, and the windows and slices that they should have."""

from datetime import timedelta
from typing import Any

from tests.unit.samples import DAY, HOUR, RUN, MemorySource, record

from job_history.accounts.account import Account
from job_history.accounts.variable import Accounts, EntryProblem
from job_history.model.event_kind import EventKind
from job_history.model.job import JobRecord
from job_history.model.slice import Slice
from job_history.model.timestamp import format_time
from job_history.model.window import Window
from job_history.pipeline.plan import plan
from job_history.pipeline.results import Plan, PlannedWindow
from job_history.sources import Source

THREE_HOURS = Window(DAY, DAY + timedelta(hours=3))
SUMO_LOGIC = {"type": "sumo_logic", "conn_id": "acme_sumo"}


def jobs(*minutes: float) -> MemorySource:
    return MemorySource(
        [
            record(job_id=number, completed_at=format_time(DAY + timedelta(minutes=minute)))
            for number, minute in enumerate(minutes)
        ]
    )


def planned_run(
    sources: dict[int, Source[JobRecord]], accounts: list[Account], *, faults: list[str] | None = None, **changes: Any
) -> Plan:
    def source_of(account: Account, _: EventKind) -> Source[JobRecord]:
        return sources[account.user_id]

    usable = {account.user_id: account for account in accounts}
    arguments: dict[str, Any] = {
        "run": RUN,
        "window": HOUR,
        "accounts": Accounts(usable, [EntryProblem(each.split()[1], [], each) for each in faults or []]),
        "chosen": [],
        "destination": "s3",
        "source_of": source_of,
        "max_jobs_per_slice": 100,
        **changes,
    }
    return plan(**arguments)


def planned_window(account: Account, counted: int | None, slices: list[Slice], window: Window = HOUR) -> PlannedWindow:
    return PlannedWindow(
        user_id=account.user_id,
        name=account.name,
        window=window,
        enabled=account.enabled,
        counted=counted,
        slices=slices,
        settings_hash=account.settings_hash,
        destination={
            "type": "s3",
            "conn_id": "acme_s3",
            "bucket": "acme-audit",
            "prefix": "",
            "write_mode": "create_only",
        },
        destination_hash=account.destination_hash,
    )


def slices_of(account: Account, *parts: Window, window: Window = HOUR) -> list[Slice]:
    return [
        Slice(
            run=RUN,
            user_id=account.user_id,
            name=account.name,
            window=window,
            part=part,
            number=number,
            of=len(parts),
        )
        for number, part in enumerate(parts, start=1)
    ]


def half_hours(window: Window) -> list[Window]:
    middle = window.start + (window.end - window.start) / 2
    return [Window(window.start, middle), Window(middle, window.end)]
