"""Tables as plain text, for logs and for the command line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from unicodedata import combining, east_asian_width

from job_history.errors.quoting import on_one_line


def text_table(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return lines with columns as wide as their widest cell.

    Whole numbers are written with thousands separators. A column that holds nothing else is aligned right, any other
    left.
    """
    rows = list(rows)
    lines = [list(heading), *([_cell_text(cell) for cell in row] for row in rows)]
    widths = [max(width_of(line[column]) for line in lines) for column in range(len(heading))]
    numeric = [all(isinstance(row[column], int) for row in rows) for column in range(len(heading))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else padded(cell, width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in lines
    )


def width_of(text: str) -> int:
    """Return how many columns a terminal takes for a text: two for each letter of a wide script, none for an accent."""
    return sum(2 if east_asian_width(each) in "WF" else not combining(each) for each in text)


def padded(text: str, width: int) -> str:
    return text + " " * (width - width_of(text))


def _cell_text(cell: object) -> str:
    return f"{cell:,}" if isinstance(cell, int) else on_one_line(str(cell))
