"""The form of an account. Its fields are made from the models that the DAGs use, so it offers what they accept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from job_history.accounts.json_schema import accounts_json_schema
from job_history.destinations.kind import installed_kinds
from job_history_airflow.ui.setup import redaction_rows
from job_history_airflow.ui.setup.form_fields import Field, Kind, Section
from job_history_airflow.ui.setup.labels import hint_of, label_of

_KINDS = {"redaction": "rules"}


class FieldLink(NamedTuple):
    """The id of an element of the form, and its label."""

    id: str
    label: str


@dataclass(frozen=True)
class AccountForm:
    """All fields of an account, in the order of the page."""

    basics: tuple[Field, ...]
    sections: tuple[Section, ...]
    events: tuple[Field, ...]
    others: tuple[Field, ...]

    def field_at(self, place: str, texts: Mapping[str, str]) -> FieldLink | None:
        """Return the field at which an error of this place is shown, or None. `texts` has the chosen kinds."""
        if place == "events":
            return FieldLink(self.events[0].id, label_of("events"))
        kinds = (section.kind_of({"type": texts.get(f"{section.name}.type")}) for section in self.sections)
        fields = (*self.basics, *self.events, *self.others, *(field for kind in kinds for field in kind.fields))
        found = next((field for field in fields if field.place == place), None)
        if found is None:
            return None
        in_rows = found.kind == "rules" and found.name not in texts
        return FieldLink("rules" if in_rows else found.id, found.label)

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
        """Return the entry that was entered. Keys of the earlier entry that the form does not know are kept."""
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
    order = {kind.name: position for position, kind in enumerate(installed_kinds())}
    for name in ("source", "destination"):
        mapping = account["properties"][name]["discriminator"]["mapping"]
        kinds = tuple(
            Kind(
                type_,
                label_of(type_),
                fields(models[_last(ref)], f"{name}.{type_}.", f"{name}."),
                models[_last(ref)].get("x-not-given", {}),
            )
            for type_, ref in sorted(mapping.items(), key=lambda item: order.get(item[0], 0))
        )
        sections.append(Section(name, label_of(name), kinds))
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
        label=label_of(place),
        hint=hint_of(place, schema.get("description", "")),
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


def _last(reference: str) -> str:
    return reference.rpartition("/")[2]
