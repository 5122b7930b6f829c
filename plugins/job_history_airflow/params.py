"""The parameters that a run of either DAG takes, to say which accounts and which windows it is about."""

from __future__ import annotations

from airflow.sdk import Param

WINDOW_PARAMS: dict[str, Param] = {
    "accounts": Param([], type="array", items={"type": "integer"}, description="user_ids; empty: all accounts"),
    "window_start": Param(
        None, type=["null", "string"], format="date-time", description="with window_end, or neither; made whole hours"
    ),
    "window_end": Param(None, type=["null", "string"], format="date-time"),
}
