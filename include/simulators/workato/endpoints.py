"""The documented endpoints; each takes a visit and gives the JSON value of its answer, or raises ApiError.

Not here, since their parameters or answers are not documented where we could read them: `recipes/job_counts`,
`recipes/:id/jobs/id_mappings`. Like any other path, they are `Not found`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .account_json import customer_json, user_json
from .activity import activity_page
from .answers import ApiError
from .filters import job_filter, recipe_filter
from .history import Shown, View
from .job_json import JobJson
from .parameters import Parameters
from .recipe_json import recipe_json
from .served import ServedWorkspace
from .settings import ApiSettings
from .workspace import SampleRecipe

_MAX_PAGE = 100


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One request to one workspace. `customers` are those of the partner whose token it came with."""

    place: ServedWorkspace
    customers: Sequence[ServedWorkspace]
    parts: dict[str, str]
    parameters: Parameters
    settings: ApiSettings
    view: View

    @property
    def list_name(self) -> str:
        """What lists are called: `items` directly, `result` below `managed_users` (documented)."""
        return "result" if "customer" in self.parts else "items"

    def jobs_as_json(self) -> JobJson:
        return JobJson(
            self.place.history,
            self.place.write_time,
            integer_ids=self.settings.integer_ids,
            lines_null=self.settings.lines_null,
        )


Endpoint = Callable[[Visit], Any]


def users_me(visit: Visit) -> dict[str, Any]:
    recipes = visit.place.recipes(visit.view.now)
    running = sum(recipe.running for recipe in recipes)
    return user_json(visit.place.workspace, len(recipes), running, visit.view.now, visit.place.write_time)


def recipes(visit: Visit) -> dict[str, Any]:
    """Highest id first, by `page` or below `since_id` (documented); the counters are those of this moment.

    Inferred: `exclude_code` leaves an empty text, since a public client that asks for it takes no recipe without one.
    """
    ask = visit.parameters
    wanted = recipe_filter(visit.parameters)
    found = [recipe for recipe in visit.place.recipes(visit.view.now) if wanted(recipe)]
    if ask.text("order") == "activity":
        found.sort(key=lambda recipe: _last_run(visit, recipe), reverse=True)
    written = [_recipe(visit, recipe) for recipe in _page(found, ask)]
    if ask.flag("exclude_code"):
        for document in written:
            document["code"] = ""
    return {visit.list_name: written}


def recipe(visit: Visit) -> dict[str, Any]:
    return _recipe(visit, _known_recipe(visit))


def jobs(visit: Visit) -> dict[str, Any]:
    """A recipe's counters and one page of its jobs, newest first.

    Documented: `offset_job_id` with `prev` false gives jobs prior to that job, with `prev` true newer ones. Inferred:
    the ones next to it. Unknown, so chosen: an offset that is not there (any more) is `Not found`; the counters do not
    depend on the filters; a status other than the three documented ones is a bad request.
    """
    ask = visit.parameters
    recipe_id = _known_recipe(visit).recipe_id
    everything = visit.place.history.jobs(recipe_id)
    listing = visit.view.listing(everything)
    size = visit.settings.jobs_page_size
    offset, is_newer = ask.text("offset_job_id"), ask.flag("prev")
    wanted = job_filter(ask)
    if offset is None:
        page = [shown for shown in listing if wanted(shown)][:size]
    else:
        place = _place(listing, offset)
        if is_newer:
            page = [shown for shown in listing[:place] if wanted(shown)][-size:]
        else:
            page = [shown for shown in listing[place + 1 :] if wanted(shown)][:size]
    totals = visit.view.totals(everything)
    write = visit.jobs_as_json()
    return {
        "job_succeeded_count": totals.succeeded,
        "job_failed_count": totals.failed,
        "job_count": totals.all,
        "items": [write.item(shown) for shown in page],
    }


def job(visit: Visit) -> dict[str, Any]:
    recipe_id = _known_recipe(visit).recipe_id
    asked = visit.parts["job"]
    found = next((job for job in visit.place.history.jobs(recipe_id) if str(job.row.job_id) == asked), None)
    shown = None if found is None else visit.view.show(found)
    if shown is None:
        raise ApiError(404, f"recipe {recipe_id} has no job {asked} now")
    return visit.jobs_as_json().single(shown)


def activity_logs(visit: Visit) -> dict[str, Any]:
    place = visit.place
    return activity_page(place.entries, place.workspace, visit.parameters, visit.view.now, place.write_time)


def managed_users(visit: Visit) -> dict[str, Any]:
    """A partner's customers; their order is unknown, ours is the one they were given in."""
    customers = _page(visit.customers, visit.parameters)
    return {"result": [customer_json(customer.workspace, customer.write_time) for customer in customers]}


def managed_user(visit: Visit) -> dict[str, Any]:
    return customer_json(visit.place.workspace, visit.place.write_time)


# Below a customer, or directly below `/api`.
IN_WORKSPACE: dict[str, Endpoint] = {
    "/recipes": recipes,
    "/recipes/{recipe}": recipe,
    "/recipes/{recipe}/jobs": jobs,
    "/recipes/{recipe}/jobs/{job}": job,
    "/activity_logs": activity_logs,
}
ENDPOINTS: dict[str, Endpoint] = {
    "/api/users/me": users_me,
    "/api/managed_users": managed_users,
    "/api/managed_users/{customer}": managed_user,
    **{f"/api{path}": endpoint for path, endpoint in IN_WORKSPACE.items()},
    **{f"/api/managed_users/{{customer}}{path}": endpoint for path, endpoint in IN_WORKSPACE.items()},
}


def _page(found: Sequence[Any], ask: Parameters) -> Sequence[Any]:
    size = min(ask.integer("per_page", at_least=1) or _MAX_PAGE, _MAX_PAGE)
    first = ((ask.integer("page", at_least=1) or 1) - 1) * size
    return found[first : first + size]


def _known_recipe(visit: Visit) -> SampleRecipe:
    asked = visit.parts["recipe"]
    number = int(asked) if asked.isascii() and asked.isdigit() else -1
    found = visit.place.recipe(number, visit.view.now)
    if found is None:
        raise ApiError(404, f"{visit.place.holder} has no recipe {asked} now")
    return found


def _recipe(visit: Visit, recipe: SampleRecipe) -> dict[str, Any]:
    totals = visit.view.totals(visit.place.history.jobs(recipe.recipe_id))
    return recipe_json(recipe, totals, visit.place.workspace, visit.place.write_time)


def _last_run(visit: Visit, recipe: SampleRecipe) -> float:
    last_run_at = visit.view.totals(visit.place.history.jobs(recipe.recipe_id)).last_run_at
    return 0.0 if last_run_at is None else last_run_at.timestamp()


def _place(listing: Sequence[Shown], offset: str) -> int:
    for index, shown in enumerate(listing):
        if str(shown.job.row.job_id) == offset:
            return index
    raise ApiError(404, f"offset_job_id: there is no job {offset} in the list now")
