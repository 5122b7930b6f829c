"""How answers are printed: as JSON for programs, or as text for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import click
import msgspec

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def print_json(answer: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(answer), indent=1))


def print_table(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print columns as wide as they need to be: numbers to the right, the rest to the left."""
    lines = [[*heading], *([f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in (rows := [*rows]))]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heading))]
    numeric = [all(isinstance(row[column], int) for row in rows) for column in range(len(heading))]
    for line in lines:
        cells = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        )
        click.echo("  ".join(cells).rstrip())
