"""A dry run: what rules would change is shown by path, rule, kind and length, and never by the value."""

import msgspec
import pytest
from tests.unit.redaction.samples import drop, hash_of, hashed, mask, redaction
from tests.unit.redaction.test_flow import DEEP
from tests.unit.samples import line, record

from job_history.redaction import Change, Sampled, dry_run
from job_history.redaction.location import Rule

RULES = [
    mask(field="*password*"), drop(path="report.age"), hashed(path="lines[*].output.rows[*].id"),
    hashed(value="email"), mask(value="card_number"),
]  # fmt: skip
SECRETS = ["hunter2", "ana@example.com", "4111111111111111", "Xavier", "77001"]


@pytest.mark.promise("redaction-dry-run")
def test_each_change_is_shown_without_its_value() -> None:
    full = record(
        error='400: {"password": "hunter2"} for ana@example.com',
        lines=[
            line(
                input='{"body":"{\\"Password\\":{\\"new\\":\\"hunter2\\"}}","ana@example.com":4111111111111111}',
                output='{"rows":[{"id":77001},{"id":null}]}',
            )
        ],
    )
    records = [record(job_id=1, status="aborted"), full, record(job_id=101, report="{}"), record(job_id=102)]
    reported = list(dry_run(records, lambda on_change: redaction(*RULES, on_change=on_change), most=2))

    masking, dropping, hashing, addresses, cards = (
        Rule(number, rule["action"]) for number, rule in enumerate(RULES, 1)
    )  # type: ignore[arg-type]
    digest = hash_of("ana@example.com")
    assert reported == [
        Sampled(
            100,
            [
                Change("error..password", masking, "text", 7, "***"),
                Change("error", addresses, "part of a text", 15, digest),
                Change("report.age", dropping, "number", 2, None),
                Change("lines[0].input.body.Password", masking, "object", 17, "***"),
                Change("lines[0].input", addresses, "name", 15, digest),
                Change(f"lines[0].input.{digest}", cards, "number", 16, "***"),
                Change("lines[0].output.rows[*].id", hashing, "number", 5, hash_of("77001")),
            ],
        ),
        Sampled(101, []),
    ]
    shown = msgspec.json.encode(reported).decode()
    assert [secret for secret in SECRETS if secret in shown] == []


def test_record_that_would_be_quarantined_is_shown_with_its_reason() -> None:
    bad = record(lines=[line(output=f'{{"password":1,"text":{DEEP}}}')])
    [reported] = dry_run([bad], lambda on_change: redaction(*RULES, on_change=on_change), most=5)
    assert reported.fault == "lines[0].output.text holds JSON in a text that is nested too deeply to be redacted"
    assert "hunter2" not in msgspec.json.encode(reported).decode()


def test_a_masked_line_whose_json_is_broken_is_shown_as_the_run_finds_it() -> None:
    bad = record(lines=[line(input='{"a":', mask_data=True)])
    [reported] = dry_run([bad], lambda on_change: redaction(*RULES, on_change=on_change), most=5)
    assert (reported.fault or "").startswith("lines[0] is not valid JSON")
