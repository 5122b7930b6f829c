"""Bar charts as coordinates; the template draws them."""

from __future__ import annotations

from dataclasses import dataclass

WIDTH = 600.0
HEIGHT = 120.0
_GAP = 0.2


@dataclass(frozen=True)
class Bar:
    """In the chart's own units; `told` is what stands in it, for whoever asks."""

    x: float
    y: float
    width: float
    height: float
    reported: str
    label: str


@dataclass(frozen=True)
class Chart:
    bars: list[Bar]
    highest: int
    width: float = WIDTH
    height: float = HEIGHT


def bar_chart(values: list[int], labels: list[str], unit: str) -> Chart:
    """Lay out a bar for each value, over the whole width; the highest one is as high as the chart."""
    highest = max(values, default=0)
    step = WIDTH / max(1, len(values))
    bars = []
    for number, (value, label) in enumerate(zip(values, labels, strict=True)):
        # What is there must be seen, also beside something a thousand times as high.
        height = max(1.5, HEIGHT * value / highest) if value else 0.0
        bars.append(
            Bar(
                x=round(number * step + step * _GAP / 2, 2),
                y=round(HEIGHT - height, 2),
                width=round(step * (1 - _GAP), 2),
                height=round(height, 2),
                reported=f"{label}: {value:,} {unit}",
                label=label,
            )
        )
    return Chart(bars, highest)
