"""Changes to a text, made all at once: what lies between them stays as it is."""

from __future__ import annotations

import sys
from itertools import pairwise
from typing import NamedTuple


class Edit(NamedTuple):
    """A stretch of a text, and what stands there instead; None: it is left out, with the comma that parted it."""

    start: int
    end: int
    text: str | None


_END = Edit(sys.maxsize, sys.maxsize, None)


def edited(text: str, edits: list[Edit]) -> str:
    """Make the edits, in the order of the text; of two that begin at one place the later one counts."""
    pieces: list[str] = []
    behind = 0
    for edit, following in pairwise([*edits, _END]):
        if edit.start == following.start:
            continue
        if edit.start > behind:
            pieces.append(text[behind : edit.start])
        behind = edit.end
        if edit.text is not None:
            pieces.append(edit.text)
        elif text.startswith(",", behind):
            behind += 1
        elif pieces and pieces[-1].endswith(","):
            pieces[-1] = pieces[-1][:-1]
    pieces.append(text[behind:])
    return "".join(pieces)


def outermost(edits: list[Edit], others: list[Edit]) -> list[Edit]:
    """Put edits together, both in order; one of the others that lies in a stretch of the first has no more say."""
    if not edits or not others:
        return edits or others
    merged: list[Edit] = []
    behind = 0
    remaining = iter(others)
    other = next(remaining, None)
    for edit in [*edits, _END]:
        while other is not None and other.start < edit.start:
            if other.start >= behind:
                merged.append(other)
            other = next(remaining, None)
        merged.append(edit)
        behind = edit.end
    merged.pop()
    return merged
