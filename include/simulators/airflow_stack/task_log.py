"""Turns the structured entries of a task's log into lines of text."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

_IN_FRONT = ("timestamp", "level", "event")
_EXCEPTIONS = "error_detail"
# Where the entry was written: the same in all entries of a task, or of no interest to who reads the story.
_WHERE = ("ti_id", "dag_id", "run_id", "task_id", "map_index", "try_number", "logger", "filename", "lineno")


def as_text(entries: Sequence[Mapping[str, Any] | str]) -> str:
    """One line an entry: time, level, message, then the fields it was given; a traceback in the lines below."""
    return "\n".join(_line(entry) for entry in entries)


def _line(entry: Mapping[str, Any] | str) -> str:
    if isinstance(entry, str):
        return entry
    words = [str(entry[name]) for name in _IN_FRONT if entry.get(name) is not None]
    fields = [
        f"{name}={json.dumps(value, ensure_ascii=False, default=str)}"
        for name, value in entry.items()
        if name not in (*_IN_FRONT, *_WHERE, _EXCEPTIONS)
    ]
    return "\n".join([" ".join(words + fields), *_tracebacks(entry.get(_EXCEPTIONS) or [])])


def _tracebacks(exceptions: Sequence[Mapping[str, Any]]) -> list[str]:
    """Every exception of the chain; the first raised comes last in the log's own order."""
    lines: list[str] = []
    for exception in exceptions:
        frames = exception.get("frames") or []
        lines += [f"    {frame['filename']}:{frame['lineno']} in {frame['name']}" for frame in frames]
        lines.append(f"  {exception['exc_type']}: {exception['exc_value']}")
    return lines
