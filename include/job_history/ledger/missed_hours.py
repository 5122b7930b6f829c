"""Hours that no run has touched, as ranges: the scheduled runs of them never came, because their DAG was paused, the
scheduler was down, or the accounts could not be planned.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from job_history.model.window import Window


def without(missed: Iterable[Window], window: Window) -> list[Window]:
    """Return the ranges without the hours of a window."""
    return [
        Window(start, end)
        for each in missed
        for start, end in ((each.start, min(each.end, window.start)), (max(each.start, window.end), each.end))
        if start < end
    ]


def since(missed: Iterable[Window], moment: datetime) -> list[Window]:
    """Return the ranges as far as they are not before a moment."""
    return [Window(max(each.start, moment), each.end) for each in missed if each.end > moment]
