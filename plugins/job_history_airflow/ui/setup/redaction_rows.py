"""Redaction rules as rows of the form: form, subject and action of a rule."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from job_history.redaction.rules import Action, PatternName

FORMS = {"path": "Value at the path", "field": "Every field named", "value": "Text that looks like"}
ACTIONS: tuple[str, ...] = get_args(Action)
PATTERNS: tuple[str, ...] = get_args(PatternName)
_ROW = re.compile(r"redaction\.([0-9]{1,4})\.about")


@dataclass(frozen=True)
class RuleRow:
    """`number` counts from 1, as the models count rules; `form` is one of FORMS and `action` one of ACTIONS."""

    number: int
    form: str
    about: str
    action: str

    @property
    def name(self) -> str:
        """The start of the names of its inputs."""
        return f"redaction.{self.number}"

    @property
    def rule(self) -> dict[str, str]:
        return {self.form: self.about, "action": self.action}


def rows_of(rules: Any) -> list[RuleRow] | None:
    """Return a list of rules as rows, or None if a row cannot hold one of them."""
    rows = []
    for number, rule in enumerate(rules if isinstance(rules, list) else [None], start=1):
        form = next((form for form in FORMS if isinstance(rule, dict) and rule.keys() == {form, "action"}), None)
        if form is None or rule["action"] not in ACTIONS or not isinstance(rule[form], str) or not rule[form].strip():
            return None
        rows.append(RuleRow(number, form, rule[form], rule["action"]))
    return rows


def texts_of(rows: list[RuleRow]) -> dict[str, str]:
    """Return the texts of the rows' inputs, by name."""
    return {
        f"{row.name}.{key}": text
        for row in rows
        for key, text in (("form", row.form), ("about", row.about), ("action", row.action))
    }


def rows_in(posted: Mapping[str, str]) -> list[RuleRow]:
    """Return the rows that were posted, without empty ones, numbered from 1."""
    numbers = sorted(int(found[1]) for name in posted if (found := _ROW.fullmatch(name)) and posted[name].strip())
    return [
        RuleRow(
            number,
            posted.get(f"redaction.{was}.form", "path"),
            posted[f"redaction.{was}.about"].strip(),
            posted.get(f"redaction.{was}.action", "mask"),
        )
        for number, was in enumerate(numbers, start=1)
    ]
