"""Lengths of time, as the pages write them."""

from __future__ import annotations


def readable_duration(seconds: float | None) -> str:
    """Write seconds in the two units that fit them: `2 h 5 min`."""
    if seconds is None:
        return "-"
    if seconds < 0:
        return f"-{readable_duration(-seconds)}"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next((number for number, (count, _) in enumerate(parts) if count), 3)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count) or "0 s"
