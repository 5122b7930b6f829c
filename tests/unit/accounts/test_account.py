"""The Variable with the accounts: errors of an entry name account and field, and stop no other account."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.golden_messages import CheckMessage
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
    "text",
    [
        None,
        "",
        '[{"user_id": 5234,',
        "[{'user_id': 5234}]",
        "[" * 10_000,
        '[{"user_id": NaN, "name": "\\ud83d",',
        '{"user_id": NaN}',
        "{}",
        "null",
        "[]",
    ],
)
def test_a_variable_that_lists_no_accounts(text: str | None, check_message: CheckMessage) -> None:
    message = refusal(text)

    assert message.startswith("The Airflow Variable job_history_accounts ")
    assert message.endswith(REMEDY)
    check_message(message)


# Entries that cannot be used


def differences(bad: Any) -> str | None:
    """Name a case by what differs from the entry of the documentation."""
    if not isinstance(bad, dict):
        return None
    good = entry()
    return json.dumps({key: bad.get(key) for key in {**good, **bad} if bad.get(key) != good.get(key)})


@pytest.mark.promise("account-errors")
@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ("Acme", "the entry"),
        ({}, "destination"),
        (entry(user_id=None), "user_id"),
        (entry("5234"), "user_id"),  # type: ignore[arg-type]
        (entry(5234.0), "user_id"),  # type: ignore[arg-type]
        (entry(True), "user_id"),
        (entry(0), "user_id"),
        (entry(-5), "user_id"),
        (entry(10**21), "user_id"),
        (entry(name=""), "name"),
        (entry(name="x" * 101), "name"),
        (entry(name=7), "name"),  # type: ignore[arg-type]
        (entry(enabled="yes"), "enabled"),
        (entry(enabled=1), "enabled"),
        (entry(source=None), "source"),
        (entry(source="db"), "source"),
        (entry(destination="s3"), "destination"),
        (entry(source={"type": "oracle", "conn_id": "db"}), "source.type"),
        (entry(source={"type": "sql"}), "source.conn_id"),
        (entry(source={"type": "sql", "conn_id": ""}), "source.conn_id"),
        (entry(source={"type": "sql", "conn_id": "db", "table": "jobs"}), "source.table"),
        (entry(destination={"conn_id": "s3"}), "destination.type"),
        (entry(destination={"type": "ftp", "conn_id": "s3"}), "destination.type"),
        (entry(destination={"type": "s3"}), "destination.conn_id"),
        (entry(destination={**S3, "bucket": "Acme"}), "destination.bucket"),
        (entry(destination={**S3, "bucket": "a/b"}), "destination.bucket"),
        (entry(destination={**S3, "prefix": "/a"}), "destination.prefix"),
        (entry(destination={**S3, "prefix": "a/"}), "destination.prefix"),
        (entry(destination={**S3, "prefix": "a//b"}), "destination.prefix"),
        (entry(destination={**S3, "prefix": "a/../b"}), "destination.prefix"),
        (entry(destination={**S3, "prefix": "a b"}), "destination.prefix"),
        (entry(destination={**S3, "kms_key_id": "alias/audit"}), "destination"),
        (entry(destination={**S3, "server_side_encryption": "rot13"}), "destination.server_side_encryption"),
        (entry(destination={**S3, "region": "eu-west-1"}), "destination.region"),
        (entry(events=None), "events"),
        (entry(events={"line_details": True}), "events"),
        (entry(events={}), "events"),
        (entry(events={**EVENTS, "job_history": "true"}), "events.job_history"),
        (entry(events={**EVENTS, "audit": True}), "events.audit"),
        (
            entry(redaction=[{"path": "report.ssn", "action": "drop"}, {"path": "reprot.ssn", "action": "drop"}]),
            "redaction rule 2",
        ),
        (entry(comment="ours"), "comment"),
    ],
    ids=differences,
)
def test_a_bad_entry_is_reported_by_account_and_field_and_the_others_stay_usable(
    bad: Any, field: str, check_message: CheckMessage
) -> None:
    good = entry(77, "Good")
    read_ = read(bad, good)
    [message] = read_.messages

    assert read_.usable == {77: Account.model_validate(good)}
    assert field in message
    assert "5234" in message or "ntry 1" in message or str(bad["user_id"]) in message
    check_message(message)


def test_all_errors_of_an_entry_are_reported_together() -> None:
    bad = entry(enabled="yes", comment="", source={"type": "sql"})
    assert read(bad).messages == [
        "Account 5234 Acme: enabled: must be true or false; source.conn_id is missing; unknown key 'comment'."
    ]


def test_equal_settings_of_accounts_are_in_memory_once() -> None:
    elsewhere = {**entry()["destination"], "prefix": "elsewhere"}
    accounts = read(entry(user_id=1), entry(user_id=2), entry(user_id=3, destination=elsewhere)).usable

    assert accounts[1].destination is accounts[2].destination
    assert accounts[1].source is accounts[3].source
    assert accounts[1].settings_hash != accounts[2].settings_hash
    assert accounts[3] == Account.model_validate(entry(user_id=3, destination=elsewhere))


def test_both_entries_with_the_same_user_id_are_refused() -> None:
    read_ = read(entry(name="One"), entry(77, "Good"), entry(name="Two"))
    assert (read_.usable, read_.messages) == (
        {77: account(77, "Good")},
        [
            "Account 5234 One: user_id 5234 is in the list more than once; keep one of the entries.",
            "Account 5234 Two: user_id 5234 is in the list more than once; keep one of the entries.",
        ],
    )


@pytest.mark.promise("account-errors")
@pytest.mark.parametrize(
    ("twice", "place"),
    [
        (('"redaction": []', '"redaction": [], "redaction": []'), "'redaction'"),
        (('"job_history": true', '"job_history": false, "job_history": true'), "'events.job_history'"),
        (('"user_id": 5234', '"user_id": 77, "user_id": 5234'), "'user_id'"),
        (('"redaction": []', '"redaction": [{"field": "x", "field": "y", "action": "mask"}]'), "'redaction.1.field'"),
    ],
)
def test_a_key_that_is_there_twice_is_refused(twice: tuple[str, str], place: str) -> None:
    """JSON leaves open which of its values counts: of `redaction`, one may have the rules and the other none."""
    text = json.dumps([entry(redaction=[]), entry(78, "Good")])
    assert twice[0] in text

    accounts = read_accounts(text.replace(*twice, 1))

    assert list(accounts.usable) == [78]
    [message] = accounts.messages
    assert message == f"Account 5234 Acme: the key {place} is there more than once; keep one."


HALF = "\ud83d"
"""Half an emoji, as Python cuts it and writes it into JSON."""


@pytest.mark.promise("account-errors")
@pytest.mark.parametrize(
    ("bad", "place"),
    [
        (entry(name=f"Caf{HALF}"), "name"),
        (entry(name=f'"NaN\\" [{{ Infinity {HALF}'), "name"),
        (entry(destination={**S3, "bucket": f"acme{HALF}"}), "destination.bucket"),
        (entry(destination={**S3, "prefix": HALF}), "destination.prefix"),
        (entry(destination={**S3, HALF: ""}), "destination"),
        (entry(destination={**SUMO_LOGIC, "fields": {HALF: "a"}}), "destination.fields"),
        (entry(redaction=[{"field": HALF, "action": "mask"}]), "redaction rule 1: field"),
        (entry(**{HALF: ""}), "the entry"),
        (entry(destination={**S3, "bucket": float("nan")}), "destination.bucket"),
        (entry(enabled=float("inf")), "enabled"),
        (entry(redaction=float("-inf")), "redaction"),
    ],
    ids=differences,
)
def test_what_python_writes_and_json_lacks_is_an_error_of_its_own_entry(
    bad: Any, place: str, check_message: CheckMessage
) -> None:
    read_ = read(entry(1, 'Not NaN, but "NaN"'), bad, entry(77, "Good"))
    [problem] = read_.problems

    assert list(read_.usable) == [1, 77]
    assert (problem.user_id, problem.places) == ("5234", [place])
    check_message(problem.message)
    # Without half of a character: it is written into logs and receipts.
    assert HALF not in f"{problem.places} {problem.message}"


@pytest.mark.parametrize("user_id", ["NaN", "9" * 5_000], ids=["not a number", "digits"])
def test_an_entry_whose_id_is_no_number_that_can_be_read_stops_no_other(user_id: str) -> None:
    text = json.dumps([entry(), entry(77, "Good")])
    read_ = read_accounts(text.replace("5234", user_id, 1))

    assert list(read_.usable) == [77]
    assert read_.messages == ["Account without a valid user_id (entry 1) Acme: user_id: must be a whole number."]


def test_user_id_true_is_not_user_id_1() -> None:
    read_ = read(entry(True), entry(1, "One"))
    assert (read_.usable, read_.messages) == (
        {1: account(1, "One")},
        ["Account without a valid user_id (entry 1) Acme: user_id: must be a whole number."],
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
        "Account 52 Acme: enabled: must be true or false.",
        "Account 523 is not among the usable accounts of the Airflow Variable job_history_accounts. "
        "Account 523 Longer 52: unknown key 'comment'.",
        "Account 5 is not among the usable accounts of the Airflow Variable job_history_accounts. "
        "Add it there, or ask for other accounts.",
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
        ([entry(events={"audit": True})], ["$[0].events", "$[0].events"]),
    ],
)
def test_the_json_schema_refuses_what_the_dag_refuses(value: Any, places: list[str]) -> None:
    assert schema_errors(value) == places


AZURE = {"type": "azure_blob", "conn_id": "az"}
GOOGLE = {"type": "google_storage", "conn_id": "gs"}
DATADOG = {"type": "datadog", "conn_id": "dd"}
HASHES = [{"field": "x", "action": "hash"}]


@pytest.mark.parametrize(
    "refused",
    [
        *(
            {"destination": {**S3, "bucket": bucket}}
            for bucket in ("Acme", "ab", "a..b", ".ab", "ab.", "a" * 64, "a_b", "-ab")
        ),
        *(
            {"destination": {**S3, "prefix": prefix}}
            for prefix in ("/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a b", "é", "x" * 401)
        ),
        *({"destination": {**S3, "storage_class": name}} for name in ("GLACIER", "DEEP_ARCHIVE", "glacier", "")),
        {"destination": {**S3, "kms_key_id": "k"}},
        {"destination": {**S3, "kms_key_id": "k", "server_side_encryption": "AES256"}},
        {"destination": {**S3, "tags": {"": "x"}}},
        {"destination": {**S3, "tags": {"a" * 129: "x"}}},
        {"destination": {**S3, "tags": {"a;b": "x"}}},
        *({"destination": {**SUMO_LOGIC, "source_category": text}} for text in ("", " a", "a ", "é")),
        *({"destination": {**SUMO_LOGIC, "fields": {key: "x"}}} for key in ("", "a,b", "a=b", "é", " a")),
        *({"destination": {**DATADOG, "tags": {key: "x"}}} for key in ("", "a:b", "a,b", " a", "a" * 201)),
        *({"destination": {**DATADOG, "service": text}} for text in ("", " a", "é")),
        *({"destination": {**AZURE, "container": name}} for name in ("ab", "a--b", "-ab", "ab-", "a-" * 31 + "ab")),
        *({"destination": {**GOOGLE, "bucket": name}} for name in ("ab", "a..b", "a" * 64, "a" * 64 + ".b", "_ab")),
        *({"source": {"type": "sql", "conn_id": text}} for text in ("", "a b", "https://x", "x" * 251)),
        {"events": {}},
        {"events": {"job_history": False}},
        {"events": {"line_details": True, "admin_events": True}},
        {"redaction": HASHES},
        {"redaction": HASHES, "redaction_key_conn_id": "https://x"},
    ],
    ids=json.dumps,
)
def test_schema_and_dag_refuse_the_same(refused: dict[str, Any]) -> None:
    assert schema_errors([entry(**refused)])
    assert read(entry(**refused)).usable == {}


@pytest.mark.parametrize(
    "accepted",
    [
        *({"destination": {**S3, "bucket": name}} for name in ("abc", "a.b", "a-.b", "a--b", "a" * 63, "1.2.3")),
        *({"destination": {**S3, "prefix": text}} for text in ("", "a", "a/b", ".a/..b/...", "a.=-_", "x" * 400)),
        {"destination": {**S3, "kms_key_id": "k", "server_side_encryption": "aws:kms"}},
        {"destination": {**S3, "tags": {"a b+-=._:/@": "", "k": "v"}, "storage_class": "GLACIER_IR"}},
        {"destination": {**SUMO_LOGIC, "source_category": "a b", "fields": {"a b": "c"}}},
        {"destination": {**DATADOG, "tags": {"a b": "c", "ü": "v"}, "service": "a b"}},
        *({"destination": {**AZURE, "container": name}} for name in ("abc", "a-b-c", "a" * 63)),
        *({"destination": {**GOOGLE, "bucket": name}} for name in ("abc", "a_b-c", "logs.example.com", "a" * 63)),
        {"source": {"type": "sql", "conn_id": "team#1!(prod)-eu.v2:a/b\\c"}},
        {"source": {"type": "sql", "conn_id": "Größe"}},
        {"events": {"admin_events": True}},
        {"redaction": HASHES, "redaction_key_conn_id": "key"},
        {"redaction": [{"field": "x", "action": "mask"}]},
    ],
    ids=json.dumps,
)
def test_schema_and_dag_accept_the_same(accepted: dict[str, Any]) -> None:
    assert schema_errors([entry(**accepted)]) == []
    assert read(entry(**accepted)).messages == []
