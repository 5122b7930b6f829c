"""The parameters of both DAGs: the accounts and the window of a run."""

from __future__ import annotations

from airflow.sdk import Param

WINDOW_PARAMS: dict[str, Param] = {
    "accounts": Param([], type="array", items={"type": "integer"}, description="user_ids; empty: all accounts"),
    "window_start": Param(
        None,
        type=["null", "string"],
        format="date-time",
        description="with window_end, or neither; extended to whole hours",
    ),
    "window_end": Param(None, type=["null", "string"], format="date-time"),
}
