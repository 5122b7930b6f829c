"""What the X-Sumo headers say about all messages of a request, and the limits of what they may say.

Limits: the service's pages "Metadata Naming Conventions" (characters of name, host, category) and "Fields". The
documents do not state the answer to a request that exceeds one; here it is 400, so that a sender which ignores them is
seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .settings import SourceSettings

_MAX_NAME = 128
_MAX_HOST = 128
_MAX_CATEGORY = 1_024
_MAX_FIELDS = 30
_MAX_FIELD_KEY = 255
_MAX_FIELD_VALUE = 200


class BadHeaderError(ValueError):
    """A header exceeds a documented limit or cannot be read."""


class Metadata(NamedTuple):
    """The metadata of a request's messages."""

    source_name: str
    source_host: str
    source_category: str
    fields: dict[str, str]

    @classmethod
    def from_headers(cls, headers: Mapping[str, str], settings: SourceSettings) -> Metadata:
        """Read the X-Sumo headers (`headers` finds them in any case); raises BadHeaderError."""
        fields = parse_fields(headers.get("X-Sumo-Fields", ""))
        if settings.fields_schema is not None:
            fields = {key: value for key, value in fields.items() if key in settings.fields_schema}
        return cls(
            _limited(headers, "X-Sumo-Name", _MAX_NAME) or settings.source_name,
            _limited(headers, "X-Sumo-Host", _MAX_HOST) or settings.source_host,
            _limited(headers, "X-Sumo-Category", _MAX_CATEGORY) or settings.source_category,
            fields,
        )


def _limited(headers: Mapping[str, str], name: str, limit: int) -> str:
    value = headers.get(name, "").strip()
    if len(value) > limit:
        raise BadHeaderError(f"Invalid {name} header: {len(value)} characters, at most {limit} are allowed")
    return value


def parse_fields(header: str) -> dict[str, str]:
    """Read `key=value,key2=value2`; raises BadHeaderError. A value may contain `=`, but no comma."""
    pairs = [pair.strip() for pair in header.split(",") if pair.strip()]
    if len(pairs) > _MAX_FIELDS:
        raise BadHeaderError(f"Invalid X-Sumo-Fields header: {len(pairs)} fields, at most {_MAX_FIELDS} are allowed")
    fields: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        key, value = key.strip(), value.strip()
        if not equals or not key:
            raise BadHeaderError(f"Invalid X-Sumo-Fields header: {pair[:80]!r} is no key=value pair")
        if len(key) > _MAX_FIELD_KEY or len(value) > _MAX_FIELD_VALUE:
            raise BadHeaderError(
                f"Invalid X-Sumo-Fields header: {key[:80]!r} has a key of {len(key)} and a value of {len(value)} "
                f"characters, at most {_MAX_FIELD_KEY} and {_MAX_FIELD_VALUE} are allowed"
            )
        fields[key] = value
    return fields
