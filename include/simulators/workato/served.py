"""A workspace made ready to be asked: its jobs by recipe, its recipes, its log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from .activity import entries_of
from .history import History
from .workspace import SampleRecipe, Workspace


class ServedWorkspace:
    """One workspace. `holder` names it in records, such as `workspace 5234`."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.holder = f"workspace {workspace.user_id}"
        self.history = History(workspace)
        self.entries = entries_of(workspace)
        described = {recipe.recipe_id: recipe for recipe in workspace.recipes}
        ids = sorted(described.keys() | self.history.by_recipe.keys(), reverse=True)
        self._recipes = [described.get(recipe_id) or SampleRecipe(recipe_id=recipe_id) for recipe_id in ids]
        self._zone = timezone(timedelta(minutes=workspace.utc_offset_minutes))

    def recipes(self, now: datetime) -> list[SampleRecipe]:
        """The recipes that are there now, highest id first."""
        return [
            recipe
            for recipe in self._recipes
            if recipe.created_at <= now and (recipe.deleted_at is None or recipe.deleted_at > now)
        ]

    def recipe(self, recipe_id: int, now: datetime) -> SampleRecipe | None:
        return next((recipe for recipe in self.recipes(now) if recipe.recipe_id == recipe_id), None)

    def write_time(self, instant: datetime) -> str:
        """A time in the workspace's time zone, cut to milliseconds, as the documented samples have it."""
        text = instant.astimezone(self._zone).isoformat(timespec="milliseconds")
        return text.removesuffix("+00:00") + "Z" if instant.astimezone(self._zone).tzinfo == UTC else text
