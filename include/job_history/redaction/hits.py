"""What rules are about in a text that is not JSON, found at several levels of escapes."""

from __future__ import annotations

from operator import attrgetter
from typing import NamedTuple

from job_history.redaction.location import Rule
from job_history.redaction.replacement import Place


class Hit(NamedTuple):
    """A stretch of a text that a rule is about; `text` is what it means.

    `escapes`: levels of escapes around a value with a name, which is replaced by a JSON string. None: a piece of text.
    """

    start: int
    end: int
    rule: Rule
    text: str
    kind: str
    place: Place
    escapes: int | None


def outermost(text: str, hits: list[Hit]) -> list[Hit]:
    """Join hits that overlap, so that each is replaced as a whole; values with names go before pieces of text."""
    if len(hits) < 2:
        return hits
    hits.sort(key=attrgetter("start"))
    groups = [[hits[0]]]
    end = hits[0].end
    for hit in hits[1:]:
        if hit.start < end:
            groups[-1].append(hit)
        else:
            groups.append([hit])
        end = max(end, hit.end)
    return [_joined(text, group) for group in groups]


def _joined(text: str, group: list[Hit]) -> Hit:
    start, end = group[0].start, max(hit.end for hit in group)
    first = min(group, key=lambda hit: (hit.escapes is None, hit.start, -hit.end, hit.rule.number))
    if (first.start, first.end) == (start, end):
        return first
    return first._replace(start=start, end=end, text=text[start:end])
