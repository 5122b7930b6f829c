"""The parameters of both DAGs: the accounts and the window of a run, and what it may do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Param

from job_history.errors import PermanentError

if TYPE_CHECKING:
    from airflow.sdk import Context

WINDOW_PARAMS: dict[str, Param] = {
    "accounts": Param([], type="array", items={"type": "integer"}, description="user_ids; empty: all accounts"),
    "window_start": Param(
        None,
        type=["null", "string"],
        format="date-time",
        description="with window_end, or neither; extended to whole hours",
    ),
    "window_end": Param(None, type=["null", "string"], format="date-time"),
    "accept_fewer": Param(
        False,
        type="boolean",
        description="do not fail if a source lists nothing, or less than half, of what it listed before",
    ),
}
REPLICATION_PARAMS: dict[str, Param] = {
    **WINDOW_PARAMS,
    "mode": Param(
        "missing_only",
        enum=["missing_only", "repair"],
        description="missing_only: complete windows are skipped. repair: every window is read again; an object with "
        "other bytes is replaced; Sumo Logic gets everything again",
    ),
}
RECONCILIATION_PARAMS: dict[str, Param] = {
    **WINDOW_PARAMS,
    "repair": Param(False, type="boolean", description="write lost and altered objects again as their source has them"),
}
REPLICATION_PARAMETERS = frozenset(REPLICATION_PARAMS)
RECONCILIATION_PARAMETERS = frozenset(RECONCILIATION_PARAMS)


def chosen_accounts(context: Context) -> list[int]:
    """Return the user_ids that a run is about; none: all accounts."""
    return [int(user_id) for user_id in context["params"].get("accounts") or []]


def check_parameters(context: Context, known: frozenset[str]) -> None:
    """Refuse parameters that the DAG does not have: a misspelt `account` would run all accounts.

    Names that begin with `_` are the caller's own. Raises PermanentError.
    """
    given = {*context["params"], *(getattr(context["dag_run"], "conf", None) or {})}
    unknown = sorted(name for name in given - known if not name.startswith("_"))
    if unknown:
        raise PermanentError(
            f"The run has unknown parameters: {', '.join(map(repr, unknown))}. Its DAG knows "
            f"{', '.join(sorted(known))}; names that begin with _ are ignored. Nothing was replicated. Start a new run "
            "with the right names."
        )
