"""Rows of figures as text, for the terminal and for docs/performance.md."""

from __future__ import annotations

from itertools import takewhile
from typing import Any, NamedTuple

from tests.benchmarks.plot import Plot


class Table(NamedTuple):
    """Rows of figures, all with the same names, under a title; and the plot that shows them."""

    title: str
    rows: list[dict[str, Any]]
    plot: Plot | None = None

    def as_markdown(self) -> str:
        """Write it in Markdown that is also readable as plain text."""
        names = list(self.rows[0])
        cells = [names, *([_shown(row[name]) for name in names] for row in self.rows)]
        widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
        numeric = [not isinstance(self.rows[0][name], str) for name in names]
        rule = ["-" * (width - 1) + (":" if right else "-") for width, right in zip(widths, numeric, strict=True)]
        lines = [
            "| "
            + " | ".join(
                word.rjust(width) if right else word.ljust(width)
                for word, width, right in zip(line, widths, numeric, strict=True)
            )
            + " |"
            for line in (cells[0], rule, *cells[1:])
        ]
        plot = f"\n\n![{self.plot.y_title} by {self.plot.x_title}]({self.plot.file_name})" if self.plot else ""
        return f"**{self.title}**\n\n" + "\n".join(lines) + plot


def read_table(page: str, title: str) -> list[dict[str, str]]:
    """Return the rows of a table that `as_markdown` has written into a page. Raises ValueError if it is not there."""
    if f"**{title}**" not in page:
        raise ValueError(f"The page has no table {title!r}: run `make bench ARGS='--write accounts'`.")
    lines = page.split(f"**{title}**")[1].lstrip().splitlines()
    rows = [
        [cell.strip() for cell in line.strip("| ").split("|")] for line in takewhile(lambda each: "|" in each, lines)
    ]
    return [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]


def promise(
    what: str, measured: float, *, at_least: float | None = None, at_most: float | None = None
) -> dict[str, Any]:
    """A row of a table of promises."""
    kept = (at_least is None or measured >= at_least) and (at_most is None or measured <= at_most)
    asked = f"at least {_shown(at_least)}" if at_least is not None else f"at most {_shown(at_most)}"
    return {"what is promised": what, "asked": asked, "measured": measured, "kept": "yes" if kept else "NO"}


def _shown(value: Any) -> str:
    """Write a figure with its significant digits."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
