"""What every task has: how often it is tried, what a failure means for the next try, and its priority."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from job_history.errors import PermanentError

# With the client's own few and short retries below it (a minute at most), a task keeps trying for about half an hour.
DEFAULT_ARGS: dict[str, Any] = {
    # Backfills have less (backfill_policy).
    "priority_weight": 10,
    "retries": 4,
    "retry_delay": timedelta(minutes=1),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=15),
    "retry_policy": ExceptionRetryPolicy(
        rules=[RetryRule(exception=PermanentError, action=RetryAction.FAIL, reason="Trying again cannot help")]
    ),
}
