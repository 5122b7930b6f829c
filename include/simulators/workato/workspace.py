"""What the local API serves: workspaces with their recipes, jobs and admin events, and partners with their
customers.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from simulators.job_store import SampleEvent, SampleJob

WORKSPACE_MADE_AT = datetime(2015, 5, 26, 22, 53, 36, 904_000, tzinfo=UTC)


def new_token() -> str:
    """Make a token; the real ones' shape is not documented."""
    return secrets.token_hex(32)


@dataclass(frozen=True, kw_only=True)
class SampleRecipe:
    """One recipe: what differs from those that are made up for the recipe_ids of the jobs.

    It is listed from `created_at` until `deleted_at` (both aware), so that the pages of the recipe list can shift too.
    """

    recipe_id: int
    name: str = ""
    folder_id: int = 1
    running: bool = True
    created_at: datetime = WORKSPACE_MADE_AT
    deleted_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Delay:
    """How late the API shows a job, in seconds: its first appearance after its start, its end after its completion.

    With `listed` above the job's duration, a job appears finished, below newer ones that were seen long before.
    """

    listed: float = 0.0
    finished: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Workspace:
    """One workspace: a direct customer's, or a customer of a partner, whose id for it is `user_id` or `external_id`.

    `recipes` are those that have no jobs, or special properties; the others follow from the jobs. `delays` and `erased`
    name jobs by the `job_id` of their row. `utc_offset_minutes`: the workspace's time zone, in which times are written.
    """

    user_id: int
    name: str = ""
    jobs: Iterable[SampleJob] = ()
    events: Iterable[SampleEvent] = ()
    recipes: Sequence[SampleRecipe] = ()
    external_id: str | None = None
    token: str = field(default_factory=new_token, repr=False)
    delays: Mapping[int | str, Delay] = field(default_factory=dict)
    erased: Collection[int | str] = ()
    utc_offset_minutes: int = 0


@dataclass(frozen=True, kw_only=True)
class Partner:
    """An embedded (OEM) partner: its own workspace's id and name, its token, and its customers' workspaces."""

    user_id: int
    name: str = ""
    customers: Sequence[Workspace] = ()
    token: str = field(default_factory=new_token, repr=False)
