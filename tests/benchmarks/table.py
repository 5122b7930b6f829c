"""Rows of figures as text, for the terminal and for docs/performance.md."""

from __future__ import annotations

from typing import Any, NamedTuple


class Table(NamedTuple):
    """Rows of figures, all with the same names, under a title."""

    title: str
    rows: list[dict[str, Any]]

    def as_markdown(self) -> str:
        """Write it in Markdown that reads well as it is, too."""
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
        return f"**{self.title}**\n\n" + "\n".join(lines)


def _shown(value: Any) -> str:
    """Write a figure with as many digits as it is worth."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
