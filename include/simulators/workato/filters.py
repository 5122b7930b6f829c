"""Which recipes and which jobs a request wants; raises ApiError where a parameter cannot be read."""

from __future__ import annotations

from collections.abc import Callable

from .answers import ApiError
from .history import FAILED, PENDING, SUCCEEDED, Shown
from .parameters import Parameters
from .recipe_json import applications
from .workspace import SampleRecipe


def recipe_filter(ask: Parameters) -> Callable[[SampleRecipe], bool]:
    """The documented filters. `running=false` is none, as a public client that always sends it needs (observed)."""
    since_id, folder_id = ask.integer("since_id"), ask.integer("folder_id")
    running = ask.flag("running") or ask.flag("active")
    updated_after, stopped_after = ask.instant("updated_after"), ask.instant("stopped_after")
    all_names, any_names = ask.text("adapter_names_all"), ask.text("adapter_names_any")
    stop_cause = ask.text("stop_cause")

    def wanted(recipe: SampleRecipe) -> bool:
        names = set(applications(recipe.recipe_id))
        return (
            (since_id is None or recipe.recipe_id < since_id)
            and (folder_id is None or recipe.folder_id == folder_id)
            and (not running or recipe.running)
            and (updated_after is None or recipe.created_at > updated_after)
            and (stopped_after is None or (not recipe.running and recipe.created_at > stopped_after))
            and (all_names is None or names >= set(all_names.split(",")))
            and (any_names is None or not names.isdisjoint(any_names.split(",")))
            and stop_cause is None  # no sample recipe was stopped by the platform
        )

    return wanted


def job_filter(ask: Parameters) -> Callable[[Shown], bool]:
    """The documented filters of a recipe's jobs: one of three statuses, reruns only."""
    status, rerun_only = ask.text("status"), ask.flag("rerun_only")
    if status not in {None, SUCCEEDED, FAILED, PENDING}:
        raise ApiError(400, f"status: {status} is none of succeeded, failed and pending")

    def wanted(shown: Shown) -> bool:
        is_repeat = shown.job.row.parent_id is not None
        return (status is None or shown.status == status) and (not rerun_only or is_repeat)

    return wanted
