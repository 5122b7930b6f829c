"""JSON text as a source gives it: checked, and without the spaces between its tokens."""

from __future__ import annotations

import re

import msgspec

from job_history.errors import BadRecordError, QuarantineReason

NULL = msgspec.Raw(b"null")

# A pair of surrogates, a single surrogate (the group), or any other escape.
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|\\u[0-9a-fA-F]{4}|\\."
)
_STAND_IN = rb"\u0020"


class CompactJson(str):
    """JSON text that was checked and made compact before, with its UTF-8."""

    __slots__ = ("utf8",)
    utf8: bytes

    @classmethod
    def of_utf8(cls, utf8: bytes) -> CompactJson:
        text = cls(utf8, "utf-8")
        text.utf8 = utf8
        return text


def compact_json(field: str, text: str | None) -> msgspec.Raw:
    """Remove the spaces, and keep each token as it was written (big integers, `1E+2`, escapes).

    None becomes null. Raises BadRecordError if the text is not JSON by RFC 8259, or nested beyond some 900 levels.
    """
    if isinstance(text, CompactJson):
        return msgspec.Raw(text.utf8)
    if text is None:
        return NULL
    try:
        encoded = text.encode()
        try:
            return msgspec.Raw(msgspec.json.format(encoded, indent=-1))
        except msgspec.DecodeError:
            return msgspec.Raw(_compact_with_lone_surrogates(encoded))
    except (msgspec.DecodeError, UnicodeEncodeError) as error:
        raise BadRecordError(QuarantineReason.BAD_JSON, f"{field} is not valid JSON: {error}") from error
    except RecursionError as error:
        raise BadRecordError(QuarantineReason.BAD_JSON, f"{field} is JSON that is nested too deeply") from error


def without_lone_surrogates(text: bytes) -> bytes:
    """Replace each half of a surrogate pair by U+FFFD, for a parser that refuses it; of the same length."""
    return _ESCAPE.sub(lambda escape: rb"\ufffd" if escape[1] else escape[0], text)


def _compact_with_lone_surrogates(text: bytes) -> bytes:
    """Do the same for text with half a surrogate pair, which RFC 8259 (section 8.2) allows and msgspec refuses.

    Another escape replaces each while msgspec looks at the text; then all escapes, whose order is the same, are
    put back.
    """
    originals = [escape[0] for escape in _ESCAPE.finditer(text)]
    checked = msgspec.json.format(_ESCAPE.sub(lambda escape: _STAND_IN if escape[1] else escape[0], text), indent=-1)
    remaining = iter(originals)
    return _ESCAPE.sub(lambda _: next(remaining), checked)
