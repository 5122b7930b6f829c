"""Recipes, in the shape that a strict public client (workato-platform-cli) asks for; what a store does not have is
made up.
"""

from __future__ import annotations

from typing import Any

import msgspec

from simulators.job_store.recipes import recipe_of

from .history import Totals
from .job_json import WriteTime
from .workspace import SampleRecipe, Workspace


def applications(recipe_id: int) -> list[str]:
    """The names of a recipe's applications, the trigger's first."""
    return list(dict.fromkeys(step.adapter for step in recipe_of(recipe_id).steps))


def recipe_json(recipe: SampleRecipe, totals: Totals, workspace: Workspace, write_time: WriteTime) -> dict[str, Any]:
    """One recipe, of the list or alone: both have the same fields."""
    names = applications(recipe.recipe_id)
    created_at = write_time(recipe.created_at)
    return {
        "id": recipe.recipe_id,
        "user_id": workspace.user_id,
        "name": recipe.name or f"Recipe {recipe.recipe_id}",
        "created_at": created_at,
        "updated_at": created_at,
        "copy_count": 1,
        "trigger_application": names[0],
        "action_applications": names[1:],
        "applications": names,
        "description": f"Recipe description {recipe.recipe_id}",
        "parameters_schema": [],
        "parameters": {},
        "webhook_url": None,
        "folder_id": recipe.folder_id,
        "running": recipe.running,
        "job_succeeded_count": totals.succeeded,
        "job_failed_count": totals.failed,
        "lifetime_task_count": totals.succeeded + totals.failed,
        "last_run_at": None if totals.last_run_at is None else write_time(totals.last_run_at),
        "stopped_at": None if recipe.running else created_at,
        "version_no": 1,
        "stop_cause": None,
        "trigger_closure": None,
        "config": [
            {"keyword": "application", "name": name, "provider": name, "skip_validation": False, "account_id": None}
            for name in names
        ],
        "code": _code(recipe.recipe_id),
        "author_name": "Jane Doe",
        "version_author_name": "Jane Doe",
        "version_author_email": "janedoe@example.com",
        "version_comment": None,
        "tags": [],
    }


def _code(recipe_id: int) -> str:
    trigger, *actions = recipe_of(recipe_id).steps
    block = [
        {"number": number, "provider": step.adapter, "name": step.operation, "keyword": "action"}
        for number, step in enumerate(actions, start=1)
    ]
    code = {"number": 0, "provider": trigger.adapter, "name": trigger.operation, "keyword": "trigger", "block": block}
    return msgspec.json.encode(code).decode()
