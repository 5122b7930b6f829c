"""What is wrong with a setting, in our words: pydantic's are for programmers ("input should be a valid dictionary")."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# The first and the last character are letters or digits, and no two dots touch.
BUCKET_PATTERN = r"^[a-z0-9](?:\.?[a-z0-9-])*\.?[a-z0-9]$"
# A part is not empty, and neither `.` nor `..`.
_PREFIX_PART = r"(?:\.?\.?[A-Za-z0-9_=-]|\.\.\.)[A-Za-z0-9_.=-]*"
PREFIX_PATTERN = rf"^(?:{_PREFIX_PART}(?:/{_PREFIX_PART})*)?$"
# A header can carry no more than printable ASCII, and loses spaces at its ends.
HEADER_PATTERN = r"^[!-~](?:[ -~]*[!-~])?$"

_PATTERNS = {
    BUCKET_PATTERN: "not a legal bucket name: 3 to 63 lower-case letters, digits, dots and hyphens",
    PREFIX_PATTERN: "use parts of letters, digits and _ . = - joined by single slashes, none at the ends",
    HEADER_PATTERN: "use printable ASCII characters, without spaces at the ends: it is sent as an HTTP header",
    r"^[A-Za-z0-9._-]{1,60}$": "must be 1 to 60 letters, digits and the characters . _ -",
    r"^[!-~]{1,2048}$": "must be up to 2,048 printable ASCII characters without spaces",
}
_SENTENCES: dict[str, Callable[[dict[str, Any]], str]] = {
    "int_type": lambda _: "must be a whole number",
    "string_type": lambda _: "must be text",
    "string_unicode": lambda _: "has half of a character, such as an emoji that was cut",
    "bool_type": lambda _: "must be true or false",
    "list_type": lambda _: "must be a list",
    "dict_type": lambda _: "must be an object of keys and values",
    "greater_than": lambda facts: f"must be more than {facts['gt']}",
    "greater_than_equal": lambda facts: f"must be at least {facts['ge']}",
    "less_than": lambda facts: f"must be less than {facts['lt']}",
    "less_than_equal": lambda facts: f"must be at most {facts['le']}",
    "too_long": lambda facts: f"must have at most {facts['max_length']:,} entries",
    "string_too_short": lambda facts: (
        "must not be empty" if facts["min_length"] == 1 else f"must have at least {facts['min_length']} characters"
    ),
    "string_too_long": lambda facts: f"must have at most {facts['max_length']} characters",
    "literal_error": lambda facts: f"must be {facts['expected']}",
    "enum": lambda facts: f"must be {facts['expected']}",
    "string_pattern_mismatch": lambda facts: _PATTERNS.get(facts["pattern"], f"does not match {facts['pattern']}"),
}


def sentence_of(error: Any) -> str:
    """Return what is wrong, without the place and without a full stop. `error`: one of a ValidationError's."""
    if (write := _SENTENCES.get(error["type"])) is not None:
        return write(error.get("ctx", {}))
    what = str(error["msg"]).removeprefix("Value error, ")
    return f"{what[:1].lower()}{what[1:]}"
