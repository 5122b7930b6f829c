"""One item of a receipt: a listed job, or admin event, and what became of it."""

from __future__ import annotations

import msgspec

from job_history.ledger.lateness import Late
from job_history.ledger.outcome import Outcome

EARLIER_SETTINGS = "earlier_settings"
"""The detail of a document that was kept as earlier settings of the account had made it."""


class Item(msgspec.Struct, frozen=True, order=True):
    """One listed job, or admin event with its id and its time.

    `detail`: the status that gives no document, the reason of quarantine, `oversize`, `repeated`, or EARLIER_SETTINGS.
    `bytes` is the size of the body; `e_tag` is the store's checksum of it, by which a listing shows whether it is still
    the same. `late_seconds` and `unseen_seconds` are those of `lateness.Late`; only late jobs have them.
    `recipe_id`, `status` and `started_at` are the job's; `redaction_sha256` is the policy's that the document was made
    under; `version_id` is the store's version of the object. Each is None in lists of earlier releases.
    """

    job_id: str
    completed_at: str | None
    outcome: str
    detail: str | None = None
    key: str | None = None
    sha256: str | None = None
    bytes: int | None = None
    e_tag: str | None = None
    late_seconds: int | None = None
    unseen_seconds: int | None = None
    recipe_id: str | None = None
    status: str | None = None
    started_at: str | None = None
    redaction_sha256: str | None = None
    version_id: str | None = None

    @property
    def is_delivered(self) -> bool:
        """The reading lists it, and the destination has its document."""
        return self.key is not None and self.outcome in {Outcome.DELIVERED, Outcome.ALREADY_PRESENT}

    @property
    def must_be_there(self) -> bool:
        """The destination has its document, whether or not the source still lists it."""
        return self.is_delivered or (self.key is not None and self.outcome == Outcome.GONE)

    @property
    def late(self) -> Late | None:
        if self.late_seconds is None or self.unseen_seconds is None:
            return None
        return Late(unseen_after=self.unseen_seconds, found_after=self.late_seconds)
