"""Values from outside, quoted in messages: short, on one line, and without characters that could forge a log line."""

from __future__ import annotations

import re

MAX_QUOTED_LENGTH = 60
# Control characters, line and paragraph separators, and halves of surrogate pairs; and the invisible characters that
# reorder or format text, except the two joiners (U+200C and U+200D), which words of some scripts need.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001-\U000e007f]"
)


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
