"""What reading cost, told in the log."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from job_history.model.timestamp import format_time
from job_history.model.window import Window
from job_history.sources.workato.client import WorkatoClient

log = logging.getLogger(__name__)


@contextmanager
def requests_told(client: WorkatoClient, doing: str, window: Window) -> Iterator[None]:
    """Say in the log how many requests the block spent, also where it failed."""
    budget = client.budget
    before = budget.spent
    try:
        yield
    finally:
        log.info(
            "%s requests spent on %s the window from %s; %s.",
            f"{budget.spent - before:,}",
            doing,
            format_time(window.start),
            budget.left(),
        )
