"""Fields of a document that are called like the envelope's own: an admin event has a `timestamp`, for one.

A name must not come twice in one JSON object, so they become `document_timestamp` and `document_replication` in their
old place, and the envelope's `renamed` names it, for joining.
"""

from job_history.destinations.messages.fields import fields_of

_TAKEN = {"timestamp": b'"timestamp":', "replication": b'"replication":'}


def without_taken_names(text: bytes) -> tuple[bytes, list[tuple[str, int]] | None] | None:
    """`text`, a JSON object and newline, under names that the envelope leaves free; and (name, offset) of each change.

    None if a name may be taken and the fields cannot be distinguished.
    """
    if not any(key in text for key in _TAKEN.values()):
        return text, None
    fields = fields_of(text)
    if fields is None:
        return None
    names = {field.name for field in fields}
    pieces: list[bytes] = []
    renamed: list[tuple[str, int]] = []
    copied = grown = 0
    for field in fields:
        own_key = _TAKEN.get(field.name)
        if own_key is None or not text.startswith(own_key, field.start):
            continue
        free_name = f"document_{field.name}"
        while free_name in names:
            free_name = f"document_{free_name}"
        pieces += text[copied : field.start], b'"%b":' % free_name.encode()
        copied = field.value_start
        renamed.append((free_name, field.start + grown))
        grown += len(free_name) - len(field.name)
    return b"".join((*pieces, text[copied:])), renamed or None


def with_own_names(text: bytes, renamed: list[tuple[str, int]] | None) -> bytes:
    """Undo `without_taken_names`."""
    for name, offset in reversed(renamed or ()):
        own_name = name.rpartition("_")[2].encode()
        text = text[: offset + 1] + own_name + text[offset + 1 + len(name) :]
    return text
