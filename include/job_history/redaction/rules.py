"""The rules of an account's setting `redaction`: what each is about, and what is done with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator

from job_history.model.settings_model import SettingsModel
from job_history.redaction.path import segments_of

Action = Literal["drop", "mask", "hash"]
PatternName = Literal["email", "card_number"]


class _Rule(SettingsModel):
    action: Action = Field(description="drop: left out; mask: *** in its place; hash: its HMAC-SHA-256, in hex.")


class PathRule(_Rule):
    """Every value at a path of the document."""

    path: str = Field(
        min_length=1, max_length=500, description="JSONPath (RFC 9535) of names and *, such as lines[*].input..email."
    )

    @field_validator("path")
    @classmethod
    def _path_can_be_followed(cls, path: str) -> str:
        segments_of(path)
        return path


class FieldRule(_Rule):
    """Every value under a name, at any depth."""

    field: str = Field(
        min_length=1, max_length=200, description="A name, with * and ?, such as *password*; case does not matter."
    )


class ValueRule(_Rule):
    """Every piece of text that looks so, in any string."""

    value: PatternName = Field(description="email, or card_number (with the right check digit).")


_FORMS = ("path", "field", "value")


def _form(rule: Any) -> str | None:
    """Return which of the three forms a rule has, or None if it has none of them or several."""
    if isinstance(rule, _Rule):
        return next(form for form in _FORMS if hasattr(rule, form))
    forms = [form for form in _FORMS if isinstance(rule, dict) and form in rule]
    return forms[0] if len(forms) == 1 else None


RedactionRule = Annotated[
    Annotated[PathRule, Tag("path")] | Annotated[FieldRule, Tag("field")] | Annotated[ValueRule, Tag("value")],
    Discriminator(
        _form,
        custom_error_type="redaction_form",
        custom_error_message="write an object with action and just one of path, field and value",
    ),
]


def first_rule_that_hashes(rules: Sequence[RedactionRule]) -> int | None:
    """Return the number of the first rule that needs a key, counted from 1."""
    return next((number for number, rule in enumerate(rules, start=1) if rule.action == "hash"), None)
