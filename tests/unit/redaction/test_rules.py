"""Rules in an account's settings: what can be applied is read, what cannot is named by account, rule and field."""

import json
from typing import Any

import pytest
from pydantic import ValidationError
from tests.unit.samples import account, entry

from job_history.accounts.variable import errors_by_place, read_accounts

ROOTS = "title, error, error_type, report, lines, details, user, team, resource"
FORM = "write an object with action and just one of path, field and value"
NO_INDEX = "has a filter, an index or a slice; a rule takes names, * and .. only"
WHOLE_LINES = "names lines as a whole; go on as in lines[*].input, lines[*].* or lines..password"


def faults(*rules: Any, **changes: Any) -> list[str]:
    """The messages about an account with these rules, in a list after one that is right."""
    right = {"field": "*password*", "action": "drop"}
    return read_accounts(json.dumps([entry(redaction=[right, *rules], **changes)])).messages


@pytest.mark.parametrize(
    "rule",
    [
        {"path": "title", "action": "mask"},
        {"path": "error_type", "action": "drop"},
        {"path": "$.report.customer['full name','phone']", "action": "drop"},
        {"path": "lines[*].input.customer..email", "action": "mask"},
        {"path": "lines[*]['input', 'output'].*", "action": "mask"},
        {"path": "lines[*].*", "action": "mask"},
        {"path": "lines..token", "action": "mask"},
        {"path": "$..straße", "action": "mask"},
        {"path": "details.ip_address", "action": "mask"},
        {"field": "*", "action": "mask"},
        {"field": "api_key?", "action": "drop"},
        {"value": "email", "action": "mask"},
        {"value": "card_number", "action": "drop"},
    ],
)
def test_a_rule_that_can_be_applied(rule: dict[str, Any]) -> None:
    assert faults(rule) == []


@pytest.mark.promise("redaction-rule-errors")
@pytest.mark.parametrize(
    ("rule", "detail"),
    [
        ("title", FORM),
        ({}, FORM),
        ({"action": "mask"}, FORM),
        ({"paht": "title", "action": "mask"}, FORM),
        ({"path": "title", "field": "title", "action": "mask"}, FORM),
        ({"path": "title"}, "action is missing"),
        ({"path": "title", "action": "blur"}, "action: input should be 'drop', 'mask' or 'hash'"),
        ({"path": 7, "action": "mask"}, "path: input should be a valid string"),
        ({"path": "", "action": "mask"}, "path: string should have at least 1 character"),
        ({"field": "", "action": "mask"}, "field: string should have at least 1 character"),
        ({"value": "iban", "action": "mask"}, "value: input should be 'email' or 'card_number'"),
        ({"path": "a b", "action": "mask"}, "path: 'a b' is no JSONPath (RFC 9535): unexpected token 'b'"),
        (
            {"path": "report.", "action": "mask"},
            "path: 'report.' is no JSONPath (RFC 9535): expected a shorthand selector",
        ),
        (
            {"path": "reprot.x", "action": "mask"},
            f"path: 'reprot.x' begins with 'reprot'; there are {ROOTS} (or $.. for any depth)",
        ),
        ({"path": "id", "action": "drop"}, f"path: 'id' begins with 'id'; there are {ROOTS} (or $.. for any depth)"),
        ({"path": "$", "action": "drop"}, f"path: '$' names everything; begin with one of {ROOTS}, or with $.."),
        ({"path": "*", "action": "drop"}, f"path: '*' names everything; begin with one of {ROOTS}, or with $.."),
        ({"path": "$..*", "action": "drop"}, f"path: '$..*' names everything; begin with one of {ROOTS}"),
        ({"path": "lines", "action": "drop"}, f"path: 'lines' {WHOLE_LINES}"),
        ({"path": "lines[*]", "action": "drop"}, f"path: 'lines[*]' {WHOLE_LINES}"),
        ({"path": "lines..*", "action": "drop"}, f"path: 'lines..*' {WHOLE_LINES}"),
        ({"path": "lines[0].input", "action": "drop"}, f"path: 'lines[0].input' {NO_INDEX}"),
        ({"path": "report[?@.a]", "action": "drop"}, f"path: 'report[?@.a]' {NO_INDEX}"),
        ({"path": "report[1:2]", "action": "drop"}, f"path: 'report[1:2]' {NO_INDEX}"),
        (
            {"path": "lines[*].adapter_name", "action": "drop"},
            "path: 'lines[*].adapter_name' names 'adapter_name' of a line; there are input, output, error (or * for all)",
        ),
    ],
)
def test_a_rule_that_cannot_be_applied_is_named_by_account_number_and_field(rule: Any, detail: str) -> None:
    assert faults(rule) == [f"Account 5234 Acme: redaction rule 2: {detail}."]


def test_a_key_that_rules_do_not_have() -> None:
    assert faults({"path": "title", "action": "mask", "note": "GDPR"}) == [
        "Account 5234 Acme: unknown key 'redaction rule 2: note'."
    ]


def test_rules_that_hash_need_the_connection_with_the_key() -> None:
    rule = {"value": "email", "action": "hash"}
    assert faults(rule) == [
        "Account 5234 Acme: redaction_key_conn_id: redaction rule 2 hashes: name the connection with the key."
    ]
    assert faults(rule, redaction_key_conn_id="redaction_key") == []


def test_a_form_shows_the_faults_of_all_rules_beside_their_one_field() -> None:
    with pytest.raises(ValidationError) as invalid:
        account(redaction=[{"path": "id", "action": "mask"}, {"field": "a"}])
    assert errors_by_place(invalid.value) == {
        "redaction": [
            f"redaction rule 1: path: 'id' begins with 'id'; there are {ROOTS} (or $.. for any depth)",
            "redaction rule 2: action is missing",
        ]
    }


def test_other_rules_are_other_settings() -> None:
    rules = [{"field": "*token*", "action": "drop"}, {"value": "email", "action": "mask"}]
    accounts = [account(redaction=chosen) for chosen in ([], rules[:1], rules, rules[::-1])]
    assert len({each.settings_hash for each in accounts}) == 4
    assert len({each.redaction_sha256 for each in accounts}) == 4
    assert accounts[0].redaction_sha256 is None
    assert account(redaction=rules).redaction_sha256 == accounts[2].redaction_sha256
