"""Values that are known by their looks, wherever they are in a text."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from job_history.redaction import card_numbers, emails
from job_history.redaction.rules import PatternName
from job_history.redaction.span import Span


class Pattern(NamedTuple):
    """`find` returns where such values are in a text, in order and apart.

    `expression` is of RE2, and finds something in every text with such a value. `is_whole`: whether a JSON string, in
    UTF-8, is such a value and nothing else. It may be False for some that are, and is None if it always would be.
    """

    find: Callable[[str], list[Span]]
    expression: str
    is_whole: Callable[[bytes], object] | None = None


PATTERNS: dict[PatternName, Pattern] = {
    "email": Pattern(emails.find_emails, emails.EXPRESSION, emails.is_address),
    "card_number": Pattern(card_numbers.find_cards, card_numbers.EXPRESSION),
}
