"""Metrics of a run, through Airflow's own (StatsD, OpenTelemetry): counters of its receipts, gauges of the status.

The names are fixed: dashboards and alerts use them. Counters are emitted once per revision of a receipt, so that their
sums are those of the receipts.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from airflow.sdk.observability import stats

from job_history.ledger.receipt import Receipt
from job_history.pipeline.run_outcome import RunOutcome

Tags = tuple[tuple[str, str], ...]


def emit_metrics(outcome: RunOutcome, *, account_tag: bool) -> None:
    """Emit the metrics. `account_tag`: with a tag `account`, one series for each account."""
    counts: Counter[tuple[str, Tags]] = Counter()
    seconds: Counter[Tags] = Counter()
    for receipt in outcome.created:
        tags = _tags(receipt, account_tag=account_tag)
        counts["job_history.windows", (*tags, ("state", receipt.state.value))] += 1
        for name, number in _documents(receipt).items():
            counts["job_history.documents", (*tags, ("outcome", name), ("kind", receipt.kind.value))] += number
        counts["job_history.bytes", tags] += receipt.counts.delivered_bytes
        for step, taken in receipt.seconds.items():
            seconds[(*tags, ("step", step))] += taken  # type: ignore[assignment]
    for (name, tags), number in counts.items():
        if number:
            stats.incr(name, number, tags=dict(tags))
    for tags, taken in seconds.items():
        stats.timing("job_history.seconds", timedelta(seconds=taken), tags=dict(tags))
    _emit_gauges(outcome)


def _emit_gauges(outcome: RunOutcome) -> None:
    status = outcome.status
    if status is None:
        return
    oldest = status.oldest_open
    gauges: dict[str, float | None] = {
        "job_history.oldest_open_window_seconds": 0 if oldest is None else oldest.age_seconds,
        "job_history.quarantine": status.quarantine,
        "job_history.late_seconds": status.late_p95_seconds or 0,
        "job_history.gap": status.gap,
        "job_history.unsealed": outcome.unsealed,
    }
    for name, value in gauges.items():
        if value is not None:
            stats.gauge(name, value)


def _tags(receipt: Receipt, *, account_tag: bool) -> Tags:
    destination: Any = receipt.destination.get("type", "")
    return (("destination", str(destination)), *((("account", str(receipt.user_id)),) if account_tag else ()))


def _documents(receipt: Receipt) -> dict[str, int]:
    counts = receipt.counts
    return {
        "delivered": counts.delivered,
        "already_present": counts.already_present,
        "filtered": sum(counts.filtered.values()),
        "quarantined": sum(counts.quarantined.values()),
    }
