"""How much of a window may go to quarantine before its run fails."""

from __future__ import annotations

from job_history.ledger.receipt import Receipt
from job_history.progress import readable_counts

# In an hour of few jobs one bad record is a large share of them, and yet no sign that something is wrong with all.
MIN_QUARANTINED_TO_FAIL = 10


def over_threshold(receipt: Receipt, percent: int) -> list[str]:
    """Say so where more than that many percent of the listed, and at least ten, are in quarantine; with 0, where any is.

    Conflicts are left out: they fail a run however few they are, and ask for something else.
    """
    reasons = {reason: count for reason, count in receipt.counts.quarantined.items() if reason != "conflict"}
    quarantined = sum(reasons.values())
    too_many = quarantined * 100 > receipt.counts.listed * percent
    if not too_many or (percent and quarantined < MIN_QUARANTINED_TO_FAIL):
        return []
    detail = (
        f"Account {receipt.label}, window {receipt.window.start_text}: of {receipt.counts.listed:,} listed "
        f"{receipt.kind.words}, in quarantine {readable_counts(reasons)}, more than [job_history] quarantine_threshold "
        f"allows ({percent} percent). The others were delivered. Mend what the entries say and run the window again; "
        "where the source no longer holds them, use `job-history redrive`."
    )
    return [detail]
