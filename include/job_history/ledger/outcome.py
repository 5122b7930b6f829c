"""The outcome of a listed job or event."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """The outcome of a listed job or event.

    GONE: delivered in an earlier run, and not delivered by this one, because the source no longer lists it (or lists
    other bytes): the destination must still have it.
    """

    DELIVERED = "delivered"
    ALREADY_PRESENT = "already_present"
    FILTERED = "filtered"
    QUARANTINED = "quarantined"
    GONE = "gone"
