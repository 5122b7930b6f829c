"""Line plots as SVG, written by hand: each is some kB, and reads well in a diff."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 780, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 290, 20, 50
# Distinguishable without seeing all colours (Okabe and Ito).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
INK, GRID = "#444", "#ddd"


class Plot(NamedTuple):
    """`lines`: by name, the measured value (y) by the varied one (x). y is logarithmic unless it starts at zero."""

    file_name: str
    x_title: str
    y_title: str
    lines: dict[str, dict[int, float]]
    y_from_zero: bool = False

    def as_svg(self) -> str:
        """Draw it. The values of x are at equal distances, in their order."""
        xs = sorted({x for line in self.lines.values() for x in line})
        ys = [y for line in self.lines.values() for y in line.values()]
        ticks = _ticks_from_zero(max(ys)) if self.y_from_zero else _powers_of_ten(min(ys), max(ys))
        scale = (lambda y: y) if self.y_from_zero else math.log10
        bottom, top = scale(ticks[0]), scale(ticks[-1])

        def across(x: int) -> float:
            return LEFT + (WIDTH - LEFT - RIGHT) * (xs.index(x) + 0.5) / len(xs)

        def up(y: float) -> float:
            return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (scale(y) - bottom) / (top - bottom)

        parts = [
            *(_tick_of_y(tick, up(tick)) for tick in ticks),
            *(_text(across(x), HEIGHT - BOTTOM + 18, f"{x:,}", "middle") for x in xs),
            _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, self.x_title, "middle"),
            f'<g transform="translate(14 {(HEIGHT - BOTTOM + TOP) / 2}) rotate(-90)">{_text(0, 0, self.y_title, "middle")}</g>',  # noqa: E501
            *_lines(self.lines, across, up),
        ]
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">\n'  # noqa: E501
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
        )


def _lines(
    lines: dict[str, dict[int, float]], across: Callable[[int], float], up: Callable[[float], float]
) -> Iterable[str]:
    for number, (name, line) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = [(across(x), up(y)) for x, y in sorted(line.items())]
        path = " ".join(f"{x:.0f},{y:.0f}" for x, y in points)
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
        yield from (f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="{colour}"/>' for x, y in points)
        level = TOP + 16 + 18 * number
        yield f'<rect x="{WIDTH - RIGHT + 10}" y="{level - 9}" width="10" height="10" fill="{colour}"/>'
        yield _text(WIDTH - RIGHT + 26, level, name, "start")


def _tick_of_y(tick: float, level: float) -> str:
    line = f'<line x1="{LEFT}" y1="{level:.0f}" x2="{WIDTH - RIGHT}" y2="{level:.0f}" stroke="{GRID}"/>'
    return line + _text(LEFT - 8, level + 4, f"{tick:,.0f}", "end")


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}" fill="{INK}">{escape(words)}</text>'


def _powers_of_ten(least: float, most: float) -> list[float]:
    return [10.0**power for power in range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)]


def _ticks_from_zero(most: float) -> list[float]:
    step = 10.0 ** math.floor(math.log10(most))
    step = step / 2 if most / step < 5 else step
    return [step * number for number in range(math.ceil(most / step) + 1)]
