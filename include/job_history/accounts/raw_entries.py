"""Splits the text of the Variable into its entries, so that an entry with what JSON does not allow stops no other."""

from __future__ import annotations

import re

import msgspec

from job_history.model.json_text import without_lone_surrogates

# A text, or (the group) a number that Python writes and JSON does not have.
_TEXT_OR_NO_NUMBER = re.compile(rb'"(?:[^"\\]|\\.)*"|(-?(?:NaN|Infinity))')


def split_entries(text: str) -> list[msgspec.Raw]:
    """Return the entries of a JSON list as they are written.

    One may have what Python writes into JSON, and JSON does not have: half a surrogate pair, NaN, Infinity. Raises
    msgspec.ValidationError for JSON that is no list; msgspec.DecodeError, ValueError or RecursionError for other texts.
    """
    try:
        return msgspec.json.decode(text, type=list[msgspec.Raw])
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return _split_by_stand_ins(text.encode())


def _split_by_stand_ins(text: bytes) -> list[msgspec.Raw]:
    """Split a text in which other values, each as long as what it replaces, are read in place of what is no JSON."""
    readable = _TEXT_OR_NO_NUMBER.sub(
        lambda found: b"1" * len(found[1]) if found[1] else found[0], without_lone_surrogates(text)
    )
    entries, end = [], 0
    for entry in msgspec.json.decode(readable, type=list[msgspec.Raw]):
        # Only spaces and commas are between entries.
        start = readable.index(bytes(entry), end)
        end = start + len(bytes(entry))
        entries.append(msgspec.Raw(text[start:end]))
    return entries
