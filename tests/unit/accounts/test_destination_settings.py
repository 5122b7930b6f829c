"""The limits of what may be sent to Sumo Logic as headers: told before anything is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.samples import entry

from job_history.accounts.destination_settings import SumoLogicDestinationSettings
from job_history.accounts.variable import read_accounts
from job_history.destinations.sumo_logic import headers_of

HEADER = "use printable ASCII characters, without spaces at the ends: it is sent as an HTTP header"


def field_fault(key: str) -> str:
    return (
        f"destination.fields: the field {key!r} cannot be sent: a key has 1 to 255 characters, a value 1 to 200, all of "
        "printable ASCII without , and = and without spaces at the ends"
    )


def faults(**settings: Any) -> list[str]:
    destination = {"type": "sumo_logic", "conn_id": "acme_sumo", **settings}
    return read_accounts(json.dumps([entry(destination=destination)])).messages


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"source_category": "c" * 1024, "source_name": "n" * 128, "source_host": "h" * 128},
        {"source_category": "prod/audit logs_2.0-x"},
        {"fields": {f"{number:0255d}": "v" * 200 for number in range(30)}},
    ],
)
def test_what_the_service_allows(settings: dict[str, Any]) -> None:
    assert faults(**settings) == []


@pytest.mark.parametrize(
    ("settings", "detail"),
    [
        ({"source_category": "c" * 1025}, "destination.source_category: string should have at most 1024 characters"),
        ({"source_name": "n" * 129}, "destination.source_name: string should have at most 128 characters"),
        ({"source_host": "h" * 129}, "destination.source_host: string should have at most 128 characters"),
        ({"source_category": "Prüfung"}, f"destination.source_category: {HEADER}"),
        ({"source_name": "two\r\nX-Sumo-Host: lines"}, f"destination.source_name: {HEADER}"),
        ({"source_host": " a"}, f"destination.source_host: {HEADER}"),
        ({"source_host": ""}, f"destination.source_host: {HEADER}"),
        ({"fields": {"a,b": "c"}}, field_fault("a,b")),
        ({"fields": {"a": "b,c=d"}}, field_fault("a")),
        ({"fields": {"a": "b\nc"}}, field_fault("a")),
        ({"fields": {"a": "größer"}}, field_fault("a")),
        ({"fields": {"": "a"}}, field_fault("")),
        ({"fields": {"a": ""}}, field_fault("a")),
        ({"fields": {"k" * 256: "a"}}, field_fault("k" * 60)),
        ({"fields": {"a": "v" * 201}}, field_fault("a")),
        ({"fields": {"a": 1}}, "destination.fields.a: input should be a valid string"),
        (
            {"fields": {str(number): "a" for number in range(31)}},
            "destination.fields: dictionary should have at most 30 items after validation, not more",
        ),
        ({"url": "https://secret"}, "unknown key 'destination.url'"),
        ({"type": "syslog"}, "destination.type: 'syslog' is not among 's3', 'sumo_logic'"),
    ],
)
def test_what_it_does_not_is_named_by_account_and_field(settings: dict[str, Any], detail: str) -> None:
    assert faults(**settings) == [f"Account 5234 Acme: {detail}."]


def test_headers_are_what_was_set_and_the_fields_in_one_order() -> None:
    bare = SumoLogicDestinationSettings(type="sumo_logic", conn_id="acme_sumo")
    assert headers_of(bare) == {}
    assert headers_of(bare.model_copy(update={"source_category": "a/b", "fields": {"z": "1", "a": "2"}})) == {
        "X-Sumo-Category": "a/b",
        "X-Sumo-Fields": "a=2,z=1",
    }
