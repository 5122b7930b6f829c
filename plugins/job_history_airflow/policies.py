"""The default arguments of every task: its retries, which errors end them, and its priority."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule
from airflow.sdk.exceptions import AirflowTaskTimeout

from job_history.errors import PermanentError

_PERMANENT = RetryRule(exception=PermanentError, action=RetryAction.FAIL, reason="Trying again cannot help")
# A source or a destination that hangs would hold a run for ten or twenty hours, and runs of later hours wait for it.
_TIME_IS_OVER = RetryRule(
    exception=AirflowTaskTimeout,
    action=RetryAction.FAIL,
    reason="Its time limit is over. The window stays open, and the next reconciliation runs it again",
)

# A task keeps trying for about half an hour. Below that, the clients' own retries of one request wait 31 s in all
# (Workato) or 123 s (Sumo Logic), and if each attempt is throttled 225 s or 360 s; a Retry-After makes each wait up to
# 300 s.
DEFAULT_ARGS: dict[str, Any] = {
    # Backfills have less (backfill_policy).
    "priority_weight": 10,
    "retries": 4,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=15),
    "retry_policy": ExceptionRetryPolicy(rules=[_PERMANENT]),
}

SINGLE_RETRY_POLICY = ExceptionRetryPolicy(rules=[_PERMANENT, _TIME_IS_OVER])
"""Of the tasks that one slice has of its own, or a few."""
