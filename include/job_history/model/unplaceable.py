"""Records of an account that are finished and belong to no window, because their time is missing or cannot be read."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

MAX_UNPLACEABLE = 1_000
"""A source counts at most one record more than this; then the number is "over 1,000"."""
UNPLACEABLE_SECONDS = 30
"""A source may spend at most this long on counting them."""


class Unplaceable(msgspec.Struct, frozen=True, omit_defaults=True):
    """How many records of one account and kind of event no window can contain, with one example.

    `count` is at most MAX_UNPLACEABLE; `over_limit` means that there are more. `example_form` describes the time of the
    record `example_id` (`missing`, `unix number`, `text of 19 characters`), and never quotes it.
    """

    count: int = 0
    over_limit: bool = False
    example_id: str | None = None
    example_form: str = ""

    @classmethod
    def of_first(cls, found: int, example_id: str | None, example_form: str) -> Unplaceable:
        """Make it from the number of rows found, of which a source reads at most MAX_UNPLACEABLE + 1."""
        return cls(min(found, MAX_UNPLACEABLE), found > MAX_UNPLACEABLE, example_id, example_form)

    def __bool__(self) -> bool:
        return self.count > 0

    @property
    def number(self) -> str:
        """The count as a message writes it: `3`, or `over 1,000`."""
        return f"over {self.count:,}" if self.over_limit else f"{self.count:,}"

    @property
    def summary(self) -> str:
        return f"{self.number} (for example id {self.example_id}: {self.example_form})"


def largest(several: Iterable[Unplaceable | None]) -> Unplaceable | None:
    """Return the one with the most records: several observations of one account are not added up."""
    found = [each for each in several if each]
    return max(found, key=lambda each: (each.count, each.over_limit), default=None)
