"""The text that a value's hash is made of: the same for equal values, however they are written."""

from __future__ import annotations

import json
from json.decoder import scanstring  # type: ignore[attr-defined]
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Any


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


class _Object(list[tuple[str, Any]]):
    """Members in any order; a name may be there more than once."""


def canonical_text(written: str) -> str:
    """Return the characters of a text, a number as it is written, and objects and arrays compact with sorted names.

    A text that holds a number or JSON has the same canonical text as that number or JSON. Raises RecursionError.
    """
    if written.startswith('"'):
        return text_of(written)
    if not written.startswith(("{", "[")):
        return written
    return _compact(json.loads(written, parse_int=_Number, parse_float=_Number, object_pairs_hook=_Object))


def text_of(written: str) -> str:
    """Return the characters of a JSON string."""
    text: str = written[1:-1] if "\\" not in written else scanstring(written, 1, False)[0]
    return text


def json_string(text: str) -> str:
    """Write a text as a JSON string: with escapes for what is not ASCII only where half a surrogate pair is in it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return str(encode_basestring_ascii(text))
    return str(encode_basestring(text))


def _compact(value: Any) -> str:
    match value:
        case _Number():
            return value
        case str():
            return json_string(value)
        case _Object():
            members = sorted((name, _compact(member)) for name, member in value)
            return "{" + ",".join(f"{json_string(name)}:{member}" for name, member in members) + "}"
        case list():
            return "[" + ",".join(map(_compact, value)) + "]"
        case _:
            return json.dumps(value)
