"""Rules in an account's settings: what can be applied is read, what cannot is named by account, rule and field."""

import json
from typing import Any

import pytest
from pydantic import ValidationError
from tests.support.golden_messages import CheckMessage
from tests.unit.samples import account, entry

from job_history.accounts.variable import errors_by_place, read_accounts

ROOTS = "title, error, error_type, report, lines, details, user, team, resource"


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
    "rule",
    [
        "title",
        {},
        {"action": "mask"},
        {"paht": "title", "action": "mask"},
        {"path": "title", "field": "title", "action": "mask"},
        {"path": "title"},
        {"path": "title", "action": "blur"},
        {"path": 7, "action": "mask"},
        {"path": "", "action": "mask"},
        {"field": "", "action": "mask"},
        {"value": "iban", "action": "mask"},
        {"path": "a b", "action": "mask"},
        {"path": "report.", "action": "mask"},
        {"path": "reprot.x", "action": "mask"},
        {"path": "id", "action": "drop"},
        {"path": "$", "action": "drop"},
        {"path": "*", "action": "drop"},
        {"path": "$..*", "action": "drop"},
        {"path": "lines", "action": "drop"},
        {"path": "lines[*]", "action": "drop"},
        {"path": "lines..*", "action": "drop"},
        {"path": "lines[0].input", "action": "drop"},
        {"path": "report[?@.a]", "action": "drop"},
        {"path": "report[1:2]", "action": "drop"},
        {"path": "lines[*].adapter_name", "action": "drop"},
    ],
    ids=str,
)
def test_a_rule_that_cannot_be_applied_is_named_by_account_number_and_field(
    rule: Any, check_message: CheckMessage
) -> None:
    [message] = faults(rule)

    assert message.startswith("Account 5234 Acme: redaction rule 2: ")
    check_message(message)


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
