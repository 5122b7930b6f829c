"""Names and other texts of an account's settings: what is refused, without being repeated."""

from __future__ import annotations

import json
from typing import Any

import pytest

from job_history.accounts.json_schema import accounts_json_schema
from job_history.accounts.variable import read_accounts
from job_history.errors.quoting import MAX_QUOTED_LENGTH, on_one_line, quoted

SECRET = "ZaVnC4dhaV2canarySecretToken"
PASTED = [
    f"https://endpoint4.collection.eu.sumologic.com/receiver/v1/http/{SECRET}",
    f"https://endpoint4.collection.eu.sumologic.com/receiver/v1/http/{SECRET}==",
    f"aws://AKIA:{SECRET}@/",
    f"Bearer {SECRET}",
    f"{SECRET}=",
    f"my_conn\n{SECRET}",
    f"{SECRET}\n",
    f"{SECRET * 20}",
]
S3 = {"type": "s3", "conn_id": "acme_s3", "server_side_encryption": "aws:kms"}
SUMO_LOGIC = {"type": "sumo_logic", "conn_id": "acme_sumo"}
SQL = {"type": "sql", "conn_id": "job_store"}
WORKATO = {"type": "workato", "conn_id": "workato"}
UNSAFE = ["\n", "\r\n", "\x00", "\x1b[31m", "\x7f", "\x85", "\u2028", "\u202e", "\u200e", "\u061c", "\ufeff"]


def an_account(**changes: Any) -> dict[str, Any]:
    return {
        "user_id": 5234,
        "name": "Acme",
        "source": SQL,
        "destination": S3,
        "events": {"job_history": True},
        **changes,
    }


def problem_of(entry: Any) -> str:
    accounts = read_accounts(json.dumps([entry, an_account(user_id=77)]))
    assert sorted(accounts.usable) == [77], "the other account stays usable"
    (problem,) = accounts.messages
    return problem


CONNECTIONS = {
    "source.conn_id": lambda conn_id: {"source": {**SQL, "conn_id": conn_id}},
    "destination.conn_id": lambda conn_id: {"destination": {**S3, "conn_id": conn_id}},
    "redaction_key_conn_id": lambda conn_id: {"redaction_key_conn_id": conn_id},
}


@pytest.mark.promise("plain-settings")
@pytest.mark.parametrize("place", CONNECTIONS)
@pytest.mark.parametrize("pasted", PASTED)
def test_a_secret_pasted_as_a_connection_id_is_refused_and_not_repeated(pasted: str, place: str) -> None:
    problem = problem_of(an_account(**CONNECTIONS[place](pasted)))

    assert problem.startswith(f"Account 5234 Acme: {place}: ")
    assert SECRET not in problem
    assert "not the id of an Airflow connection" in problem


@pytest.mark.parametrize("conn_id", ["aws_default", "team#1!(prod)-eu.v2:a/b\\c", "Größe", "x" * 250])
def test_an_id_that_airflow_accepts_is_accepted(conn_id: str) -> None:
    from airflow.models.connection import sanitize_conn_id

    assert sanitize_conn_id(conn_id) == conn_id
    assert read_accounts(json.dumps([an_account(source={**SQL, "conn_id": conn_id})])).messages == []


def text_settings() -> list[tuple[str, str, dict[str, Any]]]:
    """Place, key and the part around each text of the models, so that a new one is tested as well."""
    models = accounts_json_schema()["$defs"]
    parts = {
        "Account": ("", an_account()),
        "SqlSourceSettings": ("source", SQL),
        "WorkatoSourceSettings": ("source", WORKATO),
        "S3DestinationSettings": ("destination", S3),
        "SumoLogicDestinationSettings": ("destination", SUMO_LOGIC),
    }
    return [
        (place, key, part)
        for model, (place, part) in parts.items()
        for key, schema in models[model]["properties"].items()
        if "const" not in schema
        and any(
            option.get("type") == "string" and "enum" not in option for option in [schema, *schema.get("anyOf", [])]
        )
    ]


def test_the_text_settings_are_found() -> None:
    keys = {key for _, key, _ in text_settings()}
    assert {"name", "kms_key_id", "source_name", "source_category", "bucket", "prefix", "redaction_name"} <= keys


@pytest.mark.promise("plain-settings")
@pytest.mark.parametrize("unsafe", UNSAFE)
@pytest.mark.parametrize(("place", "key", "part"), text_settings())
def test_no_text_setting_takes_control_characters(place: str, key: str, part: dict[str, Any], unsafe: str) -> None:
    changed = {**part, key: f"ok{unsafe}ERROR forged line"}

    problem = problem_of({**an_account(), place: changed} if place else changed)

    assert f"{place}.{key}".strip(".") in problem
    assert problem.isprintable()
    assert "forged" not in problem


def test_keys_and_values_of_fields_take_no_control_characters() -> None:
    for fields in ({"a\nforged": "b"}, {"a": "b\nforged"}):
        assert problem_of(an_account(destination={**SUMO_LOGIC, "fields": fields})).isprintable()


@pytest.mark.parametrize("user_id", ["5234\nERROR forged line", SECRET * 100, [SECRET], 5.5, True])
def test_a_user_id_that_is_no_number_is_not_repeated(user_id: object) -> None:
    problem = problem_of(an_account(user_id=user_id))

    assert problem == "Account without a valid user_id (entry 1) Acme: user_id: must be a whole number."


def test_unknown_keys_and_types_are_quoted_briefly_on_one_line() -> None:
    problems = [
        problem_of(an_account(**{"x\n" * 1000: 1})),
        problem_of(an_account(source={"type": "x\n" * 1000, "conn_id": "a"})),
    ]

    assert [problem.isprintable() for problem in problems] == [True, True]
    assert max(map(len, problems)) < 300


@pytest.mark.parametrize("value", ["x" * 10_000, "\x1b[31m" * 100, ["x" * 10_000], 10**1000])
def test_quoted_values_are_short_and_printable(value: object) -> None:
    assert len(quoted(value)) <= 4 * MAX_QUOTED_LENGTH
    assert quoted(value).isprintable()


def test_text_on_one_line_keeps_what_is_harmless() -> None:
    assert on_one_line("Größe \u200d ok") == "Größe \u200d ok"
    assert on_one_line("a\r\nb\x1b[31m\u2028\ud800") == "a\\r\\nb\\x1b[31m\\u2028\\ud800"
