"""Logs how many requests a reading cost."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from job_history.model.timestamp import format_time
from job_history.model.window import Window
from job_history.sources.workato.client import WorkatoClient

log = logging.getLogger(__name__)


@contextmanager
def log_requests(client: WorkatoClient, doing: str, window: Window) -> Iterator[None]:
    """Log how many requests the block sent, also if it failed. `doing`: such as `reading`."""
    limiter = client.rate_limiter
    before = limiter.spent
    try:
        yield
    finally:
        log.info(
            "%s requests sent for %s the window from %s; %s.",
            f"{limiter.spent - before:,}",
            doing,
            format_time(window.start),
            limiter.left(),
        )
