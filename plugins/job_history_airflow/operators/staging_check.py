"""Each step checks first that its worker shares staging area and ledger with the worker that planned the run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from job_history.ledger.installation import check_installation
from job_history.pipeline.shared_staging import Planned, check_shared
from job_history.storage import Storage

PLANNED = "planned"
"""The key of the plan's note, in each mapped entry and among the plan's XComs."""


def check_staging(staging: Storage, planned: Any) -> None:
    """Raise PermanentError if this worker does not see the run's files. None: a run that release 0.1 planned."""
    if planned is not None:
        check_shared(staging, msgspec.convert(planned, Planned), datetime.now(UTC))


def check_ledger(ledger: Storage, planned: Any) -> None:
    """Raise PermanentError if this worker has another ledger than the plan. None: as above."""
    if planned is not None and (note := msgspec.convert(planned, Planned)).installation:
        check_installation(ledger, note.installation, note.host)
