"""The Variable with the accounts: errors of an entry name account and field, and stop no other account."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.samples import account, entry

from job_history.accounts.account import Account
from job_history.accounts.json_schema import accounts_json_schema
from job_history.accounts.variable import Accounts, read_accounts
from job_history.errors import PermanentError

S3 = {"type": "s3", "conn_id": "acme_s3", "bucket": "acme-audit", "prefix": ""}
SUMO_LOGIC = {"type": "sumo_logic", "conn_id": "acme_sumo"}
EVENTS = {"job_history": True, "line_details": True, "admin_events": False}
REMEDY = "Write it as docs/accounts.md shows: a JSON list with an object for each account."


def read(*entries: Any) -> Accounts:
    return read_accounts(json.dumps(entries))


def refusal(text: str | None) -> str:
    with pytest.raises(PermanentError) as refused:
        read_accounts(text)
    return str(refused.value)


# Read whole


def test_an_account_as_the_documentation_writes_it() -> None:
    assert read(entry()) == Accounts({5234: account()}, [])
    assert json.loads(account().model_dump_json(exclude_none=True)) == {
        **entry(),
        "destination": {**S3, "write_mode": "create_only"},
    }


def test_optional_keys_have_defaults() -> None:
    short = {
        "user_id": 1,
        "name": "A",
        "source": {"type": "sql", "conn_id": "db"},
        "destination": {"type": "s3", "conn_id": "s3"},
        "events": {"job_history": True},
    }
    one = read(short).usable[1]
    assert (one.enabled, one.events.line_details, one.events.admin_events, one.redaction) == (True, False, False, [])
    assert (one.destination.key_prefix, one.label) == ("", "1 A")


def test_an_account_with_the_longest_id() -> None:
    assert list(read(entry(10**21 - 1)).usable) == [10**21 - 1]


def test_a_paused_account_is_usable() -> None:
    assert read(entry(enabled=False)) == Accounts({5234: account(enabled=False)}, [])


def test_the_settings_hash_changes_with_the_settings_and_with_nothing_else() -> None:
    same = [account(), read(dict(reversed(entry().items()))).usable[5234]]
    others = [account(name="Other"), account(enabled=False), account(destination={**S3, "prefix": "a"}), account(5235)]
    hashes = [one.settings_hash for one in (*same, *others)]
    assert hashes[0] == hashes[1]
    assert len(set(hashes)) == 5
    assert all(len(digits) == 16 and int(digits, 16) >= 0 for digits in hashes)


# Not readable as accounts


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (None, f"does not exist, so no account can be replicated. {REMEDY}"),
        ("", f"is not valid JSON: Input data was truncated. {REMEDY}"),
        ('[{"user_id": 5234,', f"is not valid JSON: Input data was truncated. {REMEDY}"),
        (
            "[{'user_id': 5234}]",
            f"is not valid JSON: JSON is malformed: object keys must be strings (byte 2). {REMEDY}",
        ),
        (
            "[" * 10_000,
            f"is not valid JSON: maximum recursion depth exceeded while deserializing an object. {REMEDY}",
        ),
        ("{}", f"is JSON, but not a list. {REMEDY}"),
        ("null", f"is JSON, but not a list. {REMEDY}"),
        ("[]", f"lists no accounts, so nothing would be replicated. {REMEDY}"),
    ],
)
def test_a_variable_that_lists_no_accounts(text: str | None, detail: str) -> None:
    assert refusal(text) == f"The Airflow Variable job_history_accounts {detail}"


# Entries that cannot be used

NO_BUCKET = "no legal bucket name: 3 to 63 lower-case letters, digits, dots and hyphens"
NO_PREFIX = "use parts of letters, digits and _ . = - joined by single slashes, none at the ends"


@pytest.mark.promise("account-errors")
@pytest.mark.parametrize(
    ("bad", "detail"),
    [
        ("Acme", "Entry 1 of job_history_accounts: the entry is not a JSON object."),
        ({}, None),
        (entry(user_id=None), "Account without user_id (entry 1) Acme: user_id is missing."),
        (entry("5234"), "Account 5234 Acme: user_id: input should be a valid integer."),  # type: ignore[arg-type]
        (entry(5234.0), "Account 5234.0 Acme: user_id: input should be a valid integer."),  # type: ignore[arg-type]
        (entry(True), "Account True Acme: user_id: input should be a valid integer."),
        (entry(0), "Account 0 Acme: user_id: input should be greater than 0."),
        (entry(-5), "Account -5 Acme: user_id: input should be greater than 0."),
        (entry(10**21), f"Account {10**21} Acme: user_id: input should be less than {10**21}."),
        (entry(name=""), "Account 5234 : name: string should have at least 1 character."),
        (entry(name="x" * 101), f"Account 5234 {'x' * 101}: name: string should have at most 100 characters."),
        (entry(name=7), "Account 5234: name: input should be a valid string."),  # type: ignore[arg-type]
        (entry(enabled="yes"), "Account 5234 Acme: enabled: input should be a valid boolean."),
        (entry(enabled=1), "Account 5234 Acme: enabled: input should be a valid boolean."),
        (entry(source=None), "Account 5234 Acme: source is missing."),
        (entry(source="db"), "Account 5234 Acme: source is not a JSON object."),
        (entry(destination="s3"), "Account 5234 Acme: destination is not a JSON object."),
        (entry(source={"type": "oracle", "conn_id": "db"}), None),
        (entry(source={"type": "sql"}), "Account 5234 Acme: source.conn_id is missing."),
        (
            entry(source={"type": "sql", "conn_id": ""}),
            "Account 5234 Acme: source.conn_id: string should have at least 1 character.",
        ),
        (
            entry(source={"type": "sql", "conn_id": "db", "table": "jobs"}),
            "Account 5234 Acme: unknown key 'source.table'.",
        ),
        (entry(destination={"conn_id": "s3"}), "Account 5234 Acme: destination.type is missing."),
        (
            entry(destination={"type": "ftp", "conn_id": "s3"}),
            "Account 5234 Acme: destination.type: 'ftp' is not among 's3', 'sumo_logic'.",
        ),
        (entry(destination={"type": "s3"}), "Account 5234 Acme: destination.conn_id is missing."),
        (entry(destination={**S3, "bucket": "Acme"}), f"Account 5234 Acme: destination.bucket: {NO_BUCKET}."),
        (entry(destination={**S3, "bucket": "a/b"}), f"Account 5234 Acme: destination.bucket: {NO_BUCKET}."),
        (entry(destination={**S3, "prefix": "/a"}), f"Account 5234 Acme: destination.prefix: {NO_PREFIX}."),
        (entry(destination={**S3, "prefix": "a/"}), f"Account 5234 Acme: destination.prefix: {NO_PREFIX}."),
        (entry(destination={**S3, "prefix": "a//b"}), f"Account 5234 Acme: destination.prefix: {NO_PREFIX}."),
        (entry(destination={**S3, "prefix": "a/../b"}), f"Account 5234 Acme: destination.prefix: {NO_PREFIX}."),
        (entry(destination={**S3, "prefix": "a b"}), f"Account 5234 Acme: destination.prefix: {NO_PREFIX}."),
        (
            entry(destination={**S3, "kms_key_id": "alias/audit"}),
            'Account 5234 Acme: destination: kms_key_id needs "server_side_encryption": "aws:kms".',
        ),
        (
            entry(destination={**S3, "server_side_encryption": "rot13"}),
            "Account 5234 Acme: destination.server_side_encryption: input should be 'AES256' or 'aws:kms'.",
        ),
        (entry(destination={**S3, "region": "eu-west-1"}), "Account 5234 Acme: unknown key 'destination.region'."),
        (entry(events=None), "Account 5234 Acme: events is missing."),
        (
            entry(events={"line_details": True}),
            "Account 5234 Acme: events: line_details needs job_history: lines are part of a job's document.",
        ),
        (
            entry(events={}),
            "Account 5234 Acme: events: nothing is switched on: set job_history or admin_events, or pause the account with "
            '"enabled": false.',
        ),
        (
            entry(events={**EVENTS, "job_history": "true"}),
            "Account 5234 Acme: events.job_history: input should be a valid boolean.",
        ),
        (entry(events={**EVENTS, "audit": True}), "Account 5234 Acme: unknown key 'events.audit'."),
        (
            entry(redaction=[{"path": "report.ssn", "action": "drop"}, {"path": "reprot.ssn", "action": "drop"}]),
            "Account 5234 Acme: redaction rule 2: path: 'reprot.ssn' begins with 'reprot'; there are title, error, "
            "error_type, report, lines, details, user, team, resource (or $.. for any depth).",
        ),
        (entry(comment="ours"), "Account 5234 Acme: unknown key 'comment'."),
    ],
)
def test_a_bad_entry_is_reported_by_account_and_field_and_the_others_stay_usable(bad: Any, detail: str | None) -> None:
    good = entry(77, "Good")
    read_ = read(bad, good)
    expected = {
        "{}": "Account without user_id (entry 1): user_id is missing; name is missing; source is missing; "
        "destination is missing; events is missing.",
        "oracle": "Account 5234 Acme: source.type: 'oracle' is not among 'sql', 'workato'.",
    }
    detail = detail or next(words for sign, words in expected.items() if sign in json.dumps(bad))
    assert (read_.usable, read_.messages) == ({77: Account.model_validate(good)}, [detail])


def test_all_errors_of_an_entry_are_reported_together() -> None:
    bad = entry(enabled="yes", comment="", source={"type": "sql"})
    assert read(bad).messages == [
        "Account 5234 Acme: enabled: input should be a valid boolean; source.conn_id is missing; unknown key 'comment'."
    ]


def test_both_entries_with_the_same_user_id_are_refused() -> None:
    read_ = read(entry(name="One"), entry(77, "Good"), entry(name="Two"))
    assert (read_.usable, read_.messages) == (
        {77: account(77, "Good")},
        [
            "Account 5234 One: user_id 5234 is in the list more than once; keep one of the entries.",
            "Account 5234 Two: user_id 5234 is in the list more than once; keep one of the entries.",
        ],
    )


def test_user_id_true_is_not_user_id_1() -> None:
    read_ = read(entry(True), entry(1, "One"))
    assert (read_.usable, read_.messages) == (
        {1: account(1, "One")},
        ["Account True Acme: user_id: input should be a valid integer."],
    )


def test_messages_do_not_quote_values_of_an_entry() -> None:
    canary = "AKIA-CANARY"
    bad = entry(destination={**S3, "bucket": canary, "prefix": canary + "//", "write_mode": canary}, enabled=canary)
    assert len(read(bad).problems) == 1
    assert canary not in read(bad).messages[0]


@given(st.lists(st.none() | st.integers() | st.text() | st.dictionaries(st.text(), st.integers()), min_size=1))
def test_each_entry_is_an_account_or_a_problem(entries: list[Any]) -> None:
    read_ = read(*entries, entry())
    assert (read_.usable, len(read_.problems)) == ({5234: account()}, len(entries))


# Looked up


def test_looking_up_an_unusable_account_reports_its_errors() -> None:
    accounts = read(entry(), entry(52, enabled="yes"), entry(523, "Longer 52", comment=""))
    assert accounts.get(5234) == account()
    detail = []
    for user_id in (52, 523, 5):
        with pytest.raises(PermanentError) as refused:
            accounts.get(user_id)
        detail.append(str(refused.value))
    assert detail == [
        "Account 52 is not among the usable accounts of the Airflow Variable job_history_accounts. "
        "Account 52 Acme: enabled: input should be a valid boolean.",
        "Account 523 is not among the usable accounts of the Airflow Variable job_history_accounts. "
        "Account 523 Longer 52: unknown key 'comment'.",
        "Account 5 is not among the usable accounts of the Airflow Variable job_history_accounts. "
        "Add it there, or leave it out of the run's parameter accounts.",
    ]


# The schema


def schema_errors(value: Any) -> list[str]:
    schema = accounts_json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return sorted(error.json_path for error in jsonschema.Draft202012Validator(schema).iter_errors(value))


def test_the_json_schema_accepts_documented_entries() -> None:
    documented = [
        entry(),
        entry(1, destination={"type": "s3", "conn_id": "s3"}, redaction=None, enabled=None),
        entry(2, enabled=False, events={"job_history": True}),
        entry(3, destination={**S3, "server_side_encryption": "aws:kms", "kms_key_id": "k", "write_mode": "overwrite"}),
        entry(4, destination=SUMO_LOGIC),
        entry(5, destination={**SUMO_LOGIC, "source_category": "prod/audit", "fields": {"team": "a"}}),
    ]
    assert schema_errors(documented) == []
    assert list(read(*documented).usable) == [5234, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("value", "places"),
    [
        ([], ["$"]),
        ({}, ["$"]),
        ([entry(0)], ["$[0].user_id"]),
        ([entry("5234")], ["$[0].user_id"]),  # type: ignore[arg-type]
        ([entry(comment="")], ["$[0]"]),
        ([entry(enabled="yes"), entry(name="")], ["$[0].enabled", "$[1].name"]),
        ([entry(source={"type": "oracle", "conn_id": "db"})], ["$[0].source"]),
        ([entry(destination={"type": "ftp", "conn_id": "s3"})], ["$[0].destination"]),
        ([entry(events={"audit": True})], ["$[0].events"]),
    ],
)
def test_the_json_schema_refuses_what_the_dag_refuses(value: Any, places: list[str]) -> None:
    assert schema_errors(value) == places
