"""What became of a listed job."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """What became of a listed job."""

    DELIVERED = "delivered"
    ALREADY_PRESENT = "already_present"
    FILTERED = "filtered"
    QUARANTINED = "quarantined"
