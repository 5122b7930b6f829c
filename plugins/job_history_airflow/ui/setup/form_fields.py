"""The fields of the form: what an input shows for a setting, and what was entered into it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,30}")


@dataclass(frozen=True)
class Field:
    """One field. `name` is that of the input, `place` that of the setting in the models (`destination.bucket`).

    `kind`: text, number, choice, switch, connection, pairs (lines of key=value), rules (of redaction, in rows) or json.
    """

    name: str
    place: str
    label: str
    hint: str
    kind: str
    required: bool
    choices: tuple[str, ...] = ()
    default: Any = None

    @property
    def key(self) -> str:
        return self.place.rpartition(".")[2]

    @property
    def id(self) -> str:
        return self.name.replace(".", "-")

    def text_of(self, part: Mapping[str, Any]) -> str:
        """Return what the input shows for a part of an account's entry."""
        value = part.get(self.key, self.default)
        if value is None or value is False:
            return ""
        if value is True:
            return "on"
        if self.kind == "pairs" and isinstance(value, dict):
            return "\n".join(f"{key}={text}" for key, text in value.items())
        return value if isinstance(value, str) else json.dumps(value, indent=1, ensure_ascii=False)

    def value_of(self, text: str) -> Any:
        """Return what was entered, as the models take it; None if nothing was. Text that is not a number stays text."""
        if self.kind == "switch":
            return text == "on"
        text = text.strip()
        if not text:
            return None
        if self.kind == "number" and _WHOLE_NUMBER.fullmatch(text):
            return int(text)
        if self.kind == "pairs":
            pairs = (line.partition("=") for line in text.splitlines() if line.strip())
            return {key.strip(): value.strip() for key, _, value in pairs}
        if self.kind in {"json", "rules"}:
            return _json_or_text(text)
        return text


@dataclass(frozen=True)
class Kind:
    """A kind of source or of destination, with its fields.

    `not_given`: what it cannot provide, by place of the toggle.
    """

    type: str
    label: str
    fields: tuple[Field, ...]
    not_given: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """A part of an account that has a choice of kinds: source or destination."""

    name: str
    label: str
    kinds: tuple[Kind, ...]

    def kind_of(self, part: Mapping[str, Any]) -> Kind:
        """Return the kind of a part of an entry; the first kind if the part names none that exists."""
        return next((kind for kind in self.kinds if kind.type == part.get("type")), self.kinds[0])


def _json_or_text(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return text
