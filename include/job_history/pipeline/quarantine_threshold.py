"""How much of a window may be quarantined before its run fails."""

from __future__ import annotations

from job_history.ledger.receipt import Receipt
from job_history.progress import readable_counts

# In an hour of few jobs one bad record is a large share of them, and does not mean that something is wrong with all.
MIN_QUARANTINED_TO_FAIL = 10


def over_threshold(receipt: Receipt, percent: int) -> list[str]:
    """Return a problem if more than that percentage of the listed (and at least 10) are quarantined; with 0, if any is.

    Conflicts are not counted: they fail a run however few they are, and need another fix.
    """
    reasons = {reason: count for reason, count in receipt.counts.quarantined.items() if reason != "conflict"}
    quarantined = sum(reasons.values())
    if not exceeds(quarantined, receipt.counts.listed, percent):
        return []
    return [
        (
            f"Account {receipt.label}, window {receipt.window.start_text}: of {receipt.counts.listed:,} listed "
            f"{receipt.kind.words}, in quarantine {readable_counts(reasons)}, more than [job_history] "
            f"quarantine_threshold allows ({percent} percent). The others were delivered. Fix what the entries report "
            "and run the window again; if the source no longer holds them, use `job-history redrive`."
        )
    ]


def exceeds(bad: int, of: int, percent: int) -> bool:
    """Return whether so many bad records of so many fail a run."""
    return bad * 100 > of * percent and (percent == 0 or bad >= MIN_QUARANTINED_TO_FAIL)
