"""Waiting for a condition: as short as the machine allows, and long enough for a busy one."""

import time
from collections.abc import Callable

MAX_SECONDS = 60.0


def wait_until(condition: Callable[[], bool]) -> bool:
    """Wait until the condition holds, at most a minute; returns whether it does."""
    deadline = time.monotonic() + MAX_SECONDS
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.01)
    return condition()
