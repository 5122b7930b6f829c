"""Where the fields and lines of a document are in its bytes, found without changing or copying a value."""

import re
from array import array
from typing import Any, NamedTuple

import msgspec

_KEY = re.compile(rb'"((?:[^"\\]|\\.)*)":')
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


class Field(NamedTuple):
    """One top-level field: `start` is at the quote of its key, `end` after its value; offsets in bytes."""

    name: str
    start: int
    value_start: int
    end: int


def fields_of(document: bytes) -> list[Field] | None:
    """The top-level fields of a compact JSON object ended by a newline, in order.

    None if the offsets cannot be had: white space between tokens, a name that comes twice, nesting beyond what the
    parser follows, or no JSON at all.
    """
    values = _raw(document, dict[str, msgspec.Raw])
    if values is None:
        return None
    fields = []
    position = 1
    for name, value in values.items():
        key = _KEY.match(document, position)
        if key is None:
            return None
        fields.append(Field(name, position, key.end(), key.end() + memoryview(value).nbytes))
        position = fields[-1].end + 1
    # Only tokens that touch add up to the whole: white space or a value lost to its name's second coming falls short.
    return fields if position == len(document) - 1 else None


def element_ends(document: bytes, array_start: int, array_end: int) -> "array[int]":
    """The offset after each element of the JSON array at `document[array_start:array_end]`.

    Empty where the value is no array, has no elements, or is not compact.
    """
    ends = array("Q")
    if document[array_start : array_start + 1] != b"[":
        return ends
    position = array_start
    for element in _raw(memoryview(document)[array_start:array_end], list[msgspec.Raw]) or ():
        position += 1 + memoryview(element).nbytes
        ends.append(position)
    return ends if position + 1 == array_end else array("Q")


def _raw(text: bytes | memoryview, shape: Any) -> Any:
    """`text` parsed one level deep, its values as views of its bytes; None if it cannot be parsed."""
    try:
        return msgspec.json.decode(text, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # msgspec refuses half a surrogate pair, which JSON allows. Only lengths are wanted here, so an escape of the
        # same length is put in its place; after an escaped backslash it is plain text, and the swap is just as
        # harmless.
        text = _SURROGATE_ESCAPE.sub(rb"\\u0020", text)
    except RecursionError:
        return None
    try:
        return msgspec.json.decode(text, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
