"""Bar charts as coordinates; the template draws them."""

from __future__ import annotations

from dataclasses import dataclass

WIDTH = 600.0
HEIGHT = 120.0
_GAP = 0.2


@dataclass(frozen=True)
class Bar:
    """In the chart's units. `title` is its tooltip: label, value and unit."""

    x: float
    y: float
    width: float
    height: float
    title: str
    label: str


@dataclass(frozen=True)
class Chart:
    bars: list[Bar]
    highest: int
    width: float = WIDTH
    height: float = HEIGHT


def bar_chart(values: list[int], labels: list[str], unit: str) -> Chart:
    """Lay out a bar for each value over the whole width. The highest bar is as high as the chart."""
    highest = max(values, default=0)
    step = WIDTH / max(1, len(values))
    bars = []
    for number, (value, label) in enumerate(zip(values, labels, strict=True)):
        # A small value must stay visible next to one a thousand times as high.
        height = max(1.5, HEIGHT * value / highest) if value else 0.0
        bars.append(
            Bar(
                x=round(number * step + step * _GAP / 2, 2),
                y=round(HEIGHT - height, 2),
                width=round(step * (1 - _GAP), 2),
                height=round(height, 2),
                title=f"{label}: {value:,} {unit}",
                label=label,
            )
        )
    return Chart(bars, highest)
