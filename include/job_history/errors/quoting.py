"""Values from outside, quoted in messages: short, on one line, and without characters that could forge a log line."""

from __future__ import annotations

import re

MAX_QUOTED_LENGTH = 60
# Control characters, line and paragraph separators, marks that reorder text, and halves of surrogate pairs.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def quoted(value: object, max_length: int = MAX_QUOTED_LENGTH) -> str:
    """Return a value as Python would write it, cut to a number of characters."""
    text = value if isinstance(value, str) else repr(value)
    if len(text) > max_length:
        text = f"{text[: max_length - 3]}..."
    return repr(text) if isinstance(value, str) else text


def unsafe_character(text: str) -> int | None:
    """Return the position of the first character that must not be part of a setting's text, or None."""
    found = _UNSAFE.search(text)
    return found.start() if found else None


def on_one_line(text: str) -> str:
    """Write the characters that could forge a log line as escape sequences."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
