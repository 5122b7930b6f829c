"""How the local API behaves: what is documented is the default, what is not can be chosen.

Each setting notes what it rests on: documented (Workato's own text), observed (a published report on the real service),
inferred, or unknown.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta


class Moment(StrEnum):
    """Which of a job's two times something goes by."""

    STARTED = "started"
    COMPLETED = "completed"


class Counters(StrEnum):
    """What `job_succeeded_count`, `job_failed_count` and `job_count` count."""

    LIFETIME = "lifetime"
    RETAINED = "retained"


class ApiSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a local API; each is also an option of `python -m simulators.workato`."""

    direct_limit: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="requests in a window for one workspace's token (documented: 60 a minute for each resource)"),
    ] = 60
    partner_limit: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="requests in a window for all customers of a partner together (documented: 1000 a minute)"),
    ] = 1_000
    activity_limit: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(
            description="requests for activity logs in a window if there is a limit at all (documented: 60 a minute, "
            "also for customers)"
        ),
    ] = 60
    limit_seconds: Annotated[float, Meta(gt=0, description="length of that window (documented: a minute)")] = 60.0
    retry_after: Annotated[
        bool, Meta(description="send Retry-After with a 429 (unknown: neither it nor the body is documented)")
    ] = False
    request_timeout: Annotated[
        float, Meta(gt=0, description="seconds for a whole request (documented: 40; its answer, our 504, is unknown)")
    ] = 40.0
    latency: Annotated[float, Meta(ge=0, description="seconds before each answer, as a far-away service has")] = 0.0
    jobs_page_size: Annotated[
        int, Meta(ge=1, description="jobs in a page (observed: 25; no parameter for it is documented)")
    ] = 25
    retention_days: Annotated[
        Annotated[float, Meta(ge=0)] | None,
        Meta(description="jobs that completed longer ago are gone (documented: 30 or 90, by plan; default: none are)"),
    ] = None
    sweep_days: Annotated[
        Annotated[float, Meta(ge=0)] | None,
        Meta(description="jobs that completed longer ago are listed, but erased (observed; default: none are)"),
    ] = None
    advance_per_request: Annotated[
        float, Meta(ge=0, description="seconds that the simulated clock moves on after each request was looked at")
    ] = 0.0
    listing_order: Annotated[
        Moment, Meta(description="newest first by which time: started (inferred) or completed (unknown)")
    ] = Moment.STARTED
    last_run_at: Annotated[
        Moment, Meta(description="a recipe's last_run_at: its last start or its last end (unknown)")
    ] = Moment.STARTED
    counters: Annotated[
        Counters, Meta(description="lifetime: counts never go down (inferred); retained: gone jobs do not count")
    ] = Counters.LIFETIME
    lines_null: Annotated[
        bool,
        Meta(
            description="a job that ran no line has `lines: null` (documented: a list or null); default: an empty list"
        ),
    ] = False
    integer_ids: Annotated[
        bool, Meta(description="numeric job ids as JSON numbers, as until 2020 (documented); default: as strings")
    ] = False
