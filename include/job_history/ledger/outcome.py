"""The outcome of a listed job or event."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """The outcome of a listed job or event."""

    DELIVERED = "delivered"
    ALREADY_PRESENT = "already_present"
    FILTERED = "filtered"
    QUARANTINED = "quarantined"
