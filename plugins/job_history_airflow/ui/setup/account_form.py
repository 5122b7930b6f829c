"""The form of an account: its fields are those of the models that the DAGs use, so it offers what they take."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from job_history.accounts.json_schema import accounts_json_schema
from job_history_airflow.ui.setup import redaction_rows

_LABELS = {
    "user_id": "Workspace id",
    "name": "Name",
    "enabled": "Replicate this account",
    "source": "Job history comes from",
    "destination": "Audit log destination",
    "events.job_history": "Job history data",
    "events.line_details": "Input, output and error details of all executed lines",
    "events.admin_events": "Admin events",
    "conn_id": "Connection",
    "kms_key_id": "KMS key",
    "managed_user_id": "Managed user",
    "redaction": "Redaction rules",
    "redaction_name": "Name of the redaction rules",
    "redaction_key_conn_id": "Connection with the key of redaction rules that hash",
    "s3": "Amazon S3 bucket",
    "sumo_logic": "Sumo Logic HTTP source",
    "sql": "SQL job store",
    "workato": "Workato API",
}
_HINTS = {
    "enabled": "Off: an explicit pause, which the reports say.",
    "conn_id": "One of Airflow's connections of this type; its name, never its secrets.",
}
_KINDS = {"redaction": "rules"}
_WHOLE_NUMBER = re.compile(r"-?[0-9]{1,30}")


@dataclass(frozen=True)
class Field:
    """One field. `name` is the input's; `place` is where the models say it is.

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
        """Return what was entered, as the models take it; None where nothing was. What is no number stays text."""
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
    """A kind of source or of destination, with its fields."""

    type: str
    label: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Section:
    """A part of an account that is of one kind or another."""

    name: str
    label: str
    kinds: tuple[Kind, ...]

    def kind_of(self, part: Mapping[str, Any]) -> Kind:
        """Return the kind that a part of an entry has; the first where it has none that there is."""
        return next((kind for kind in self.kinds if kind.type == part.get("type")), self.kinds[0])


@dataclass(frozen=True)
class AccountForm:
    """All fields of an account, as they stand on the page."""

    basics: tuple[Field, ...]
    sections: tuple[Section, ...]
    events: tuple[Field, ...]
    others: tuple[Field, ...]

    def has(self, place: str) -> bool:
        """Whether a fault at this place is shown beside a field."""
        kinds = (kind for section in self.sections for kind in section.kinds)
        fields = (*self.basics, *self.events, *self.others, *(field for kind in kinds for field in kind.fields))
        return place == "events" or any(place == field.place for field in fields)

    def texts_of(self, entry: Mapping[str, Any]) -> dict[str, str]:
        """Return what the inputs show for an account's entry, by their names."""
        texts: dict[str, str] = {}
        for field in (*self.basics, *self.others):
            rows = redaction_rows.rows_of(entry.get(field.key, [])) if field.kind == "rules" else None
            texts |= {field.name: field.text_of(entry)} if rows is None else redaction_rows.texts_of(rows)
        texts |= {field.name: field.text_of(_part(entry, "events")) for field in self.events}
        for section in self.sections:
            part = _part(entry, section.name)
            chosen = section.kind_of(part)
            texts[f"{section.name}.type"] = chosen.type
            texts |= {
                field.name: field.text_of(part if kind is chosen else {})
                for kind in section.kinds
                for field in kind.fields
            }
        return texts

    def entry_of(self, posted: Mapping[str, str], earlier: Mapping[str, Any]) -> dict[str, Any]:
        """Return the account's entry that was entered. What the form does not know of the earlier entry stays in it."""
        entry = _entered(self.basics, posted)
        for section in self.sections:
            kind = section.kind_of({"type": posted.get(f"{section.name}.type")})
            known = {field.key for field in kind.fields}
            part = _part(earlier, section.name)
            unknown = {key: value for key, value in part.items() if key not in known} if _same(part, kind) else {}
            entry[section.name] = {**unknown, "type": kind.type, **_entered(kind.fields, posted)}
        entry["events"] = _entered(self.events, posted)
        others = _entered(self.others, posted)
        known = {*entry, *(field.key for field in (*self.basics, *self.others))}
        return {**entry, **others, **{key: value for key, value in earlier.items() if key not in known}}


@cache
def account_form() -> AccountForm:
    schema = accounts_json_schema()
    models = schema["$defs"]
    account = models["Account"]

    def fields(model: Mapping[str, Any], path: str, place: str) -> tuple[Field, ...]:
        return tuple(
            _field(f"{path}{key}", f"{place}{key}", value, key in model.get("required", []))
            for key, value in model["properties"].items()
            if "const" not in value
        )

    sections = []
    for name in ("source", "destination"):
        mapping = account["properties"][name]["discriminator"]["mapping"]
        kinds = tuple(
            Kind(type_, _LABELS.get(type_, type_), fields(models[_last(ref)], f"{name}.{type_}.", f"{name}."))
            for type_, ref in mapping.items()
        )
        sections.append(Section(name, _LABELS[name], kinds))
    apart = {"user_id", "name", "enabled", "source", "destination", "events"}
    every = {field.name: field for field in fields(account, "", "")}
    return AccountForm(
        basics=tuple(every[name] for name in ("user_id", "name", "enabled")),
        sections=tuple(sections),
        events=fields(models[_last(account["properties"]["events"]["$ref"])], "events.", "events."),
        others=tuple(field for name, field in every.items() if name not in apart),
    )


def _field(name: str, place: str, schema: Mapping[str, Any], required: bool) -> Field:
    key = place.rpartition(".")[2]
    meant = next((option for option in schema.get("anyOf", []) if option.get("type") != "null"), schema)
    return Field(
        name=name,
        place=place,
        label=_LABELS.get(place) or _LABELS.get(key) or key.replace("_", " ").capitalize(),
        hint=_HINTS.get(place) or _HINTS.get(key) or schema.get("description", ""),
        kind=_KINDS.get(place) or ("connection" if key.endswith("conn_id") else _kind(meant)),
        required=required,
        choices=tuple(meant.get("enum", ())),
        default=schema.get("default"),
    )


def _kind(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return "choice"
    if schema.get("type") == "object" and schema.get("additionalProperties") == {"type": "string"}:
        return "pairs"
    return {"boolean": "switch", "integer": "number", "string": "text"}.get(schema.get("type", ""), "json")


def _entered(fields: tuple[Field, ...], posted: Mapping[str, str]) -> dict[str, Any]:
    values = {field.key: field.value_of(posted.get(field.name, "")) for field in fields}
    for field in fields:
        if field.kind == "rules" and field.name not in posted:
            values[field.key] = [row.rule for row in redaction_rows.rows_in(posted)]
    return {key: value for key, value in values.items() if value is not None}


def _part(entry: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = entry.get(name)
    return part if isinstance(part, dict) else {}


def _same(part: Mapping[str, Any], kind: Kind) -> bool:
    return part.get("type") == kind.type


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _last(reference: str) -> str:
    return reference.rpartition("/")[2]
