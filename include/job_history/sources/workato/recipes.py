"""The recipes of a workspace, and which of them can have jobs that ended in a window."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from job_history.errors import PermanentError, TransientError
from job_history.errors.catalogue import fix_of
from job_history.errors.code import Code
from job_history.model.timestamp import parse_time
from job_history.model.window import Window
from job_history.sources.workato.client import WorkatoClient

log = logging.getLogger(__name__)

# Documented: the maximum of a page.
RECIPES_A_PAGE = 100
_PRECISION = timedelta(seconds=1)


class Recipe(msgspec.Struct, frozen=True):
    """What is read of a recipe. Counters and `last_run_at` are documented by name only; None if they are missing."""

    id: int
    job_succeeded_count: int | None = None
    job_failed_count: int | None = None
    last_run_at: str | None = None

    def can_have_news(self, window: Window, longest_job: timedelta) -> bool:
        """Return whether a job of it may have ended in the window; True if that is not certain.

        Whether `last_run_at` is the last run's start or its end is not documented. A job that ended in the window began
        at most `longest_job` before it, so both are after that moment; docs/workato.md has the whole argument.
        """
        if self.last_run_at is None:
            return (self.job_succeeded_count, self.job_failed_count) != (0, 0)
        last_run_at = _moment(self.last_run_at)
        return last_run_at is None or last_run_at >= window.start - longest_job

    def contradicts(self, newest: datetime | None, window: Window) -> bool:
        """Return whether the recipe's fields show that it ran in the window or after it, and its job list does not go
        that far.

        `newest`: the latest start or end among the jobs that were listed, open ones too. A list that was read for the
        window begins now, so it contains that run, whichever of the two moments `last_run_at` is. A run after the
        window may still be too new for the list: then the list need only reach the window's end.
        """
        last_run_at = None if self.last_run_at is None else _moment(self.last_run_at)
        if last_run_at is None or last_run_at < window.start:
            return False
        return newest is None or newest < min(last_run_at - _PRECISION, window.end)


def recipes(client: WorkatoClient) -> Iterator[Recipe]:
    """List each recipe once, newest id first. Raises PermanentError or TransientError, as the client does.

    Pages go by `since_id` (ids *below* it; documented): a recipe that is created or deleted meanwhile shifts numbered
    pages, and one of the others would be skipped. The end is an empty page, as a server may give fewer than it was
    asked for.
    """
    since_id: int | None = None
    listed: set[int] = set()
    while True:
        position = {} if since_id is None else {"since_id": since_id}
        page = _page(client, {"per_page": RECIPES_A_PAGE, "order": "default", **position})
        if not page:
            return
        for recipe in page:
            if recipe.id not in listed:
                listed.add(recipe.id)
                yield recipe
        lowest = min(recipe.id for recipe in page)
        if since_id is not None and lowest >= since_id:
            raise TransientError(
                f"{client} gave recipes from {lowest} up when asked for those below {since_id}, so that listing them "
                "would never end. Nothing was read; it is tried again."
            )
        since_id = lowest


def is_deleted(client: WorkatoClient, recipe_id: int) -> bool:
    """Return whether the list of recipes no longer has this one. A 404 of the recipe itself may be a permission that is
    missing.

    Raises PermanentError if the list has no recipe at all, and the workspace has some: the token lost its projects.
    """
    page = _page(client, {"per_page": 1, "order": "default", "since_id": recipe_id + 1})
    if any(recipe.id == recipe_id for recipe in page):
        return False
    if next(recipes(client), None) is None:
        must_show_recipes(client)
    return True


def must_show_recipes(client: WorkatoClient) -> None:
    """Refuse a token whose role sees no project, and so lists no recipes: that must not pass for a quiet hour.

    Raises PermanentError; for a partner's customer, whose number of recipes the API does not give, it warns.
    """
    if client.is_embedded:
        log.warning("%s lists no recipes at all. If the customer has some, look at the role's projects.", client)
        return
    # Documented by the sample of an older answer only.
    count = client.me().get("recipes_count")
    if count is not None and bytes(count) not in {b"0", b"null"}:
        detail = f"{client} lists no recipes, but counts {bytes(count).decode()}"
        code = Code.WORKATO_NO_RECIPES
        raise PermanentError(f"{detail}. {fix_of(code)}", code=code, detail=detail)


def _page(client: WorkatoClient, parameters: dict[str, str | int]) -> list[Recipe]:
    envelope = client.get("recipes", parameters)
    # Documented: `items` for one's own workspace; `result` for a customer's, which was `items` in 2020.
    listed = envelope.get("items", envelope.get("result"))
    try:
        if listed is not None:
            return msgspec.json.decode(listed, type=list[Recipe])
        detail = f"an object with {sorted(envelope)[:5]}"
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        detail = str(fault)
    raise PermanentError(
        f"{client} lists recipes in a way that is not documented: {detail}. Nothing was read.",
        code=Code.WORKATO_UNDOCUMENTED,
        detail=detail,
    )


def _moment(text: str) -> datetime | None:
    try:
        return parse_time(text)
    except ValueError:
        return None
