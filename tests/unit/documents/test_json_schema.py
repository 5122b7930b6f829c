"""docs/document.schema.json is made from the code, and the golden vectors fulfil it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from job_history.documents.json_schema import document_json_schema
from simulators.project import ROOT

JOBS = sorted((ROOT / "tests" / "vectors").glob("*/document.json"))
EVENTS = sorted((ROOT / "tests" / "event_vectors").glob("*/document.json"))


def validator(kind: str) -> Draft202012Validator:
    schema = document_json_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator({"$ref": f"#/$defs/{kind}", "$defs": schema["$defs"]})


def accepts(kind: str, document: Any) -> bool:
    accepted: bool = validator(kind).is_valid(document)
    return accepted


def example() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(
        (ROOT / "tests" / "vectors" / "example_of_the_feature_page" / "document.json").read_text()
    )
    return document


@pytest.mark.promise("document-schema")
def test_published_schema_is_current() -> None:
    published = (ROOT / "docs" / "document.schema.json").read_text()

    assert json.loads(published) == json.loads(msgspec.json.encode(document_json_schema())), (
        "run: .venv/bin/python -m job_history.documents.json_schema > docs/document.schema.json"
    )


@pytest.mark.promise("document-schema")
@pytest.mark.parametrize(
    ("kind", "path"),
    [("JobFields", path) for path in JOBS] + [("EventFields", path) for path in EVENTS],
    ids=lambda value: value.parent.name if isinstance(value, Path) else value,
)
def test_golden_vectors_fulfil_the_schema(kind: str, path: Path) -> None:
    document = json.loads(path.read_text())

    assert [error.message for error in validator(kind).iter_errors(document)] == []
    assert Draft202012Validator(document_json_schema()).is_valid(document)


@pytest.mark.parametrize(
    ("accepted", "change"),
    [
        (True, {"lines": "Log lines exceed size limit"}),
        (True, {"is_repeat": False}),
        (True, {"id": "j-KGAKfhsz-GYoLeD"}),
        (False, {"id": None}),
        (False, {"id": "a/b"}),
        (False, {"id": 10**21}),
        (False, {"status": "aborted"}),
        (False, {"started_at": "2018-05-21T00:00:00+02:00"}),
        (False, {"error": {"message": "not a string"}}),
        (False, {"lines": None}),
        (False, {"lines": "other words"}),
    ],
)
def test_schema_accepts_and_refuses_job_documents(accepted: bool, change: dict[str, Any]) -> None:
    assert accepts("JobFields", {**example(), **change}) is accepted


@pytest.mark.parametrize("field", list(example())[:12])
def test_schema_requires_each_field_except_lines(field: str) -> None:
    document = example()
    del document[field]

    assert not accepts("JobFields", document)


@pytest.mark.parametrize("field", ["input", "output", "error"])
def test_schema_refuses_a_masked_line_that_shows_a_value(field: str) -> None:
    document = example()
    document["lines"][0] |= {"mask_data": True, "input": {"data": "masked"}, "output": {"data": "masked"}}
    assert accepts("JobFields", document)

    document["lines"][0][field] = "a value"

    assert not accepts("JobFields", document)


@pytest.mark.parametrize("change", [{"event": "User/Login"}, {"event": None}, {"timestamp": "2019-09-13 17:24:16"}])
def test_schema_refuses_event_documents(change: dict[str, Any]) -> None:
    document = json.loads(EVENTS[0].read_text())
    assert accepts("EventFields", document)

    assert not accepts("EventFields", {**document, **change})
