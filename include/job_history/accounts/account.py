"""One account: where its events come from, where they go, and which events are replicated."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

import msgspec
from pydantic import ConfigDict, Field, ValidationInfo, field_validator, model_validator

from job_history.accounts.destination_registry import OfAnyInstalledKind
from job_history.accounts.destination_settings import DestinationSettings
from job_history.accounts.source_settings import SourceSettings
from job_history.model.event_kind import EventKind
from job_history.model.settings_model import ConnectionId, SettingsModel
from job_history.redaction import RedactionRule, first_rule_that_hashes, rules_sha256

MAX_NAME_LENGTH = 100


def _switched_on(name: str) -> dict[str, Any]:
    return {"properties": {name: {"const": True}}, "required": [name]}


# A schema can say it of rules that are there; which connection has the key, it cannot.
_HASHES_HAVE_A_KEY: dict[str, Any] = {
    "if": {
        "properties": {
            "redaction": {"contains": {"properties": {"action": {"const": "hash"}}, "required": ["action"]}}
        },
        "required": ["redaction"],
    },
    "then": {"properties": {"redaction_key_conn_id": {"type": "string"}}, "required": ["redaction_key_conn_id"]},
}


class Events(SettingsModel):
    """The three toggles of the feature page."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [_switched_on("job_history"), _switched_on("admin_events")],
            "if": _switched_on("line_details"),
            "then": _switched_on("job_history"),
        }
    )

    job_history: bool = False
    line_details: bool = False
    admin_events: bool = False

    @model_validator(mode="after")
    def _something_is_on_and_fits(self) -> Events:
        if self.line_details and not self.job_history:
            raise ValueError("line_details needs job_history: lines are part of a job's document")
        if not self.kinds:
            raise ValueError(
                'nothing is switched on: set job_history or admin_events, or pause the account with "enabled": false'
            )
        return self

    @property
    def kinds(self) -> list[EventKind]:
        """Return the kinds of event that are switched on."""
        switches = {EventKind.JOBS: self.job_history, EventKind.ADMIN_EVENTS: self.admin_events}
        return [kind for kind, on in switches.items() if on]


class Account(SettingsModel):
    """One workspace: where its jobs and admin events come from, where they go, and which events are replicated."""

    # Built at the first account that is read: a kind's module may import this one.
    model_config = ConfigDict(defer_build=True, json_schema_extra=_HASHES_HAVE_A_KEY)

    user_id: int = Field(gt=0, lt=10**21, description="The workspace's id; the first part of every key.")
    name: str = Field(min_length=1, max_length=MAX_NAME_LENGTH)
    enabled: bool = Field(default=True, description="false: an explicit pause; reported as disabled.")
    source: SourceSettings
    destination: Annotated[DestinationSettings, OfAnyInstalledKind()]
    events: Events
    redaction: list[RedactionRule] = Field(
        default_factory=list,
        max_length=1_000,
        description="Values that must not leave; of several rules for one value the first applies.",
    )
    redaction_name: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9._-]{1,60}$", description="The name of the rules in receipts and objects."
    )
    redaction_key_conn_id: ConnectionId | None = Field(
        default=None, validate_default=True, description="The connection whose password is the key of rules that hash."
    )

    witness_conn_id: ConnectionId | None = Field(
        default=None, description="A connection of type sumo_logic that gets the heads of the account's seals."
    )

    @field_validator("redaction_key_conn_id")
    @classmethod
    def _hashes_have_a_key(cls, conn_id: str | None, others: ValidationInfo) -> str | None:
        number = first_rule_that_hashes(others.data.get("redaction", []))
        if number is not None and conn_id is None:
            raise ValueError(f"redaction rule {number} hashes: name the connection with the key")
        return conn_id

    @property
    def label(self) -> str:
        return f"{self.user_id} {self.name}"

    @property
    def redaction_sha256(self) -> str | None:
        """The SHA-256 of the redaction rules, or None if there are none."""
        return rules_sha256(self.redaction) if self.redaction else None

    @property
    def settings_hash(self) -> str:
        """First 16 hex digits of the SHA-256 of the settings: a receipt shows by it under which settings it was
        made.
        """
        # A witness changes no document.
        return _hash_of(self.model_dump(exclude={"witness_conn_id"}))

    @property
    def destination_hash(self) -> str:
        """The same of the destination alone: a window is complete only at the destination that it went to."""
        return _hash_of(self.destination.model_dump(exclude={"transport", "checksum"}))


def _hash_of(settings: dict[str, Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(settings, order="deterministic")).hexdigest()[:16]
