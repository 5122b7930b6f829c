"""The limits of what may be sent to Sumo Logic as headers: checked before anything is sent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.support.golden_messages import CheckMessage
from tests.unit.samples import entry

from job_history.accounts.destination_settings import SumoLogicDestinationSettings
from job_history.accounts.variable import read_accounts
from job_history.destinations.sumo_logic import headers_of


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
    ("settings", "field"),
    [
        ({"source_category": "c" * 1025}, "destination.source_category"),
        ({"source_name": "n" * 129}, "destination.source_name"),
        ({"source_host": "h" * 129}, "destination.source_host"),
        ({"source_category": "Prüfung"}, "destination.source_category"),
        ({"source_name": "two\r\nX-Sumo-Host: lines"}, "destination.source_name"),
        ({"source_host": " a"}, "destination.source_host"),
        ({"source_host": ""}, "destination.source_host"),
        ({"fields": {"a,b": "c"}}, "destination.fields"),
        ({"fields": {"a": "b,c=d"}}, "destination.fields"),
        ({"fields": {"a": "b\nc"}}, "destination.fields"),
        ({"fields": {"a": "größer"}}, "destination.fields"),
        ({"fields": {"": "a"}}, "destination.fields"),
        ({"fields": {"a": ""}}, "destination.fields"),
        ({"fields": {"k" * 256: "a"}}, "destination.fields"),
        ({"fields": {"a": "v" * 201}}, "destination.fields"),
        ({"fields": {"a": 1}}, "destination.fields.a"),
        ({"fields": {str(number): "a" for number in range(31)}}, "destination.fields"),
        ({"url": "https://secret"}, "destination.url"),
        ({"type": "syslog"}, "destination.type"),
    ],
    ids=str,
)
def test_what_it_does_not_is_named_by_account_and_field(
    settings: dict[str, Any], field: str, check_message: CheckMessage
) -> None:
    [message] = faults(**settings)

    assert message.startswith("Account 5234 Acme: ")
    assert field in message
    check_message(message)


def test_headers_are_what_was_set_and_the_fields_in_one_order() -> None:
    bare = SumoLogicDestinationSettings(type="sumo_logic", conn_id="acme_sumo")
    assert headers_of(bare) == {}
    assert headers_of(bare.model_copy(update={"source_category": "a/b", "fields": {"z": "1", "a": "2"}})) == {
        "X-Sumo-Category": "a/b",
        "X-Sumo-Fields": "a=2,z=1",
    }
