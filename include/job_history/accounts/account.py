"""Accounts and their settings, as the Airflow Variable `job_history_accounts` holds them."""

from __future__ import annotations

import hashlib
import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec
from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from job_history.accounts.destination_settings import (
    DestinationSettings,
    S3DestinationSettings,
    SumoLogicDestinationSettings,
)
from job_history.accounts.source_settings import SourceSettings, SqlSourceSettings, WorkatoSourceSettings
from job_history.errors import PermanentError
from job_history.model.event_kind import EventKind
from job_history.model.settings_model import ConnectionId, SettingsModel
from job_history.redaction import RedactionRule, first_rule_that_hashes, rules_sha256

__all__ = [
    "ACCOUNTS_VARIABLE",
    "Account",
    "Accounts",
    "Events",
    "S3DestinationSettings",
    "SqlSourceSettings",
    "SumoLogicDestinationSettings",
    "WorkatoSourceSettings",
    "accounts_json_schema",
    "faults_by_place",
    "read_accounts",
]

ACCOUNTS_VARIABLE = "job_history_accounts"


class Events(SettingsModel):
    """The three toggles of the feature page."""

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

    user_id: int = Field(gt=0, lt=10**21, description="The workspace's id; the first part of every key.")
    name: str = Field(min_length=1, max_length=100)
    enabled: bool = Field(default=True, description="false: an explicit pause; reported as disabled.")
    source: SourceSettings
    destination: DestinationSettings
    events: Events
    redaction: list[RedactionRule] = Field(
        default_factory=list,
        max_length=1_000,
        description="What must not leave; of rules for one value the first counts.",
    )
    redaction_name: str | None = Field(
        default=None, pattern=r"^[A-Za-z0-9._-]{1,60}$", description="What receipts and objects call the rules."
    )
    redaction_key_conn_id: ConnectionId | None = Field(
        default=None, validate_default=True, description="The connection whose password is the key of rules that hash."
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
        """What the redaction rules come to, or None where there are none."""
        return rules_sha256(self.redaction) if self.redaction else None

    @property
    def settings_hash(self) -> str:
        """First 16 hex digits of the SHA-256 of the settings: a receipt tells by it under which ones it was made."""
        return _hash_of(self.model_dump())

    @property
    def destination_hash(self) -> str:
        """The same of the destination alone: a window is complete only at the destination that it went to."""
        return _hash_of(self.destination.model_dump())


def _hash_of(settings: dict[str, Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(settings, order="deterministic")).hexdigest()[:16]


@dataclass(frozen=True)
class Accounts:
    """The accounts that can be used, and a sentence for each entry that cannot. One's fault does not stop another."""

    usable: dict[int, Account]
    faults: list[str] = field(default_factory=list)

    def get(self, user_id: int) -> Account:
        """Return an account. Raises PermanentError where it is not (or no longer) among the usable ones."""
        if user_id in self.usable:
            return self.usable[user_id]
        about_it = [fault for fault in self.faults if fault.startswith((f"Account {user_id} ", f"Account {user_id}:"))]
        raise PermanentError(
            f"Account {user_id} is not among the usable accounts of the Airflow Variable {ACCOUNTS_VARIABLE}. "
            + (" ".join(about_it) or "Add it there, or leave it out of the run's parameter accounts.")
        )


def read_accounts(text: str | None) -> Accounts:
    """Read the Variable's text. Raises PermanentError where there is nothing that could be read as accounts."""
    cause = f"The Airflow Variable {ACCOUNTS_VARIABLE}"
    remedy = "Write it as docs/accounts.md shows: a JSON list with an object for each account."
    if text is None:
        raise PermanentError(f"{cause} does not exist, so no account can be replicated. {remedy}")
    try:
        entries = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as fault:
        raise PermanentError(f"{cause} is no valid JSON: {fault}. {remedy}") from fault
    if not isinstance(entries, list):
        raise PermanentError(f"{cause} holds JSON, but no list. {remedy}")
    if not entries:
        raise PermanentError(f"{cause} lists no accounts, so nothing would be replicated. {remedy}")
    return _sorted_out(entries)


def _sorted_out(entries: list[Any]) -> Accounts:
    times_named = Counter(_user_id(entry) for entry in entries)
    usable: dict[int, Account] = {}
    faults: list[str] = []
    for number, entry in enumerate(entries, start=1):
        who = _who(number, entry)
        if (user_id := _user_id(entry)) is not None and times_named[user_id] > 1:
            faults.append(f"{who}: user_id {user_id} is there more than once; keep one of the entries.")
            continue
        try:
            account = Account.model_validate(entry)
        except ValidationError as invalid:
            faults.append(f"{who}: " + "; ".join(_sentence(error) for error in invalid.errors()) + ".")
        else:
            usable[account.user_id] = account
    return Accounts(usable, faults)


def _user_id(entry: Any) -> int | None:
    user_id = entry.get("user_id") if isinstance(entry, dict) else None
    return user_id if type(user_id) is int else None


def _who(number: int, entry: Any) -> str:
    if not isinstance(entry, dict):
        return f"Entry {number} of {ACCOUNTS_VARIABLE}"
    name = f" {entry['name']}" if isinstance(entry.get("name"), str) else ""
    return f"Account {entry.get('user_id', f'without user_id (entry {number})')}{name}"


def _sentence(error: Any) -> str:
    where = ".".join(_place(error["loc"])) or "the entry"
    if error["type"] == "extra_forbidden":
        return f"unknown key {where!r}"
    if error["type"] == "missing":
        return f"{where} is missing"
    if error["type"] == "union_tag_not_found":
        return f"{where}.type is missing"
    if error["type"] == "union_tag_invalid":
        return f"{where}.type: {error['ctx']['tag']!r} is not among {error['ctx']['expected_tags']}"
    if error["type"] in {"model_type", "model_attributes_type"}:
        return f"{where} is no JSON object"
    what = error["msg"].removeprefix("Value error, ")
    return f"{where}: {what[:1].lower()}{what[1:]}"


def faults_by_place(invalid: ValidationError) -> dict[str, list[str]]:
    """Return what is wrong with an account's entry, by where it is (`destination.bucket`), in the DAG's own words."""
    faults: dict[str, list[str]] = {}
    for error in invalid.errors():
        # Of the rules there is one field, whichever of them is at fault.
        place = "redaction" if error["loc"][:1] == ("redaction",) else ".".join(_place(error["loc"]))
        faults.setdefault(place, []).append(_sentence(error).removeprefix(f"{place}: "))
    return faults


def _place(location: tuple[int | str, ...]) -> list[str]:
    """Write where an error is as the Variable's author sees it: without the kind that pydantic puts behind a union."""
    if location[:1] == ("redaction",) and len(location) > 1:
        number, field = int(location[1]) + 1, [str(part) for part in location[3:]]
        return [": ".join([f"redaction rule {number}", *field])]
    parts = [str(part) for part in location]
    return parts[:1] + parts[2:] if parts[:1] in (["destination"], ["source"]) else parts


def accounts_json_schema() -> dict[str, Any]:
    """Return the JSON Schema of the Variable, for editors and for the docs."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": ACCOUNTS_VARIABLE,
        "type": "array",
        "minItems": 1,
        "items": {"$ref": "#/$defs/Account"},
        "$defs": {**(schema := Account.model_json_schema()).pop("$defs"), "Account": schema},
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(accounts_json_schema(), indent=1) + "\n")
