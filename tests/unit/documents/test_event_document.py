"""Documents of admin events: their exact bytes, and keys that nothing from a source can lead astray."""

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.golden_messages import CheckMessage

from job_history.documents.event_document import event_document_of, item_id_of
from job_history.documents.job_document import Document, DocumentRules
from job_history.documents.object_key import event_key, formatted_id
from job_history.errors import BadRecordError, QuarantineReason
from job_history.model.admin_event import EventRecord, event_id_of
from job_history.model.ids import Id
from job_history.model.timestamp import format_time, parse_time
from job_history.redaction import Redaction
from job_history.redaction.rules import FieldRule

VECTORS = Path(__file__).parents[2] / "event_vectors"
SITUATIONS = sorted(folder.name for folder in VECTORS.iterdir())
RULES = DocumentRules(user_id=5234, prefix="", line_details=False, max_document_bytes=40_000_000)


def event(**changes: Any) -> EventRecord:
    fields: dict[str, Any] = {
        "user_id": 5234,
        "event_id": 77,
        "event": "recipe_started",
        "occurred_at": "2018-05-21T00:15:00Z",
        "details": '{"run_once": false}',
        "user": '{"id": 1}',
        "team": '{"id": 2}',
        "resource": '{"type": "Flow"}',
    }
    return EventRecord(**{**fields, **changes})


# Golden vectors


def test_there_are_vectors_and_each_is_whole() -> None:
    contents = {tuple(sorted(file.name for file in (VECTORS / name).iterdir())) for name in SITUATIONS}
    assert (len(SITUATIONS), contents) == (5, {("document.json", "key.txt", "record.json")})


@pytest.mark.promise("event-documents", "event-key")
@pytest.mark.parametrize("situation", SITUATIONS)
def test_golden_vector(situation: str) -> None:
    folder = VECTORS / situation
    row = json.loads((folder / "record.json").read_text())
    user = row.pop("actor")
    body, key = (folder / "document.json").read_bytes(), (folder / "key.txt").read_text().removesuffix("\n")
    given_id = row["event_id"]
    expected_id: Id = hashlib.sha256(body).hexdigest()[:16] if given_id is None else given_id
    assert event_document_of(EventRecord(**row, user=user), RULES) == Document(
        key=key,
        body=body,
        job_id=int(expected_id) if given_id and str(given_id).isdigit() else expected_id,
        completed_at=format_time(parse_time(row["occurred_at"])),
    )


# What is in a document


@pytest.mark.promise("event-documents")
def test_what_does_not_map_follows_sorted_by_name() -> None:
    made = event_document_of(event(extra={"zone": '"eu"', "api_client": "null", "Zoë": "[1, 2]"}), RULES)
    assert made.body.decode() == (
        '{"event":"recipe_started","details":{"run_once":false},"user":{"id":1},"team":{"id":2},'
        '"resource":{"type":"Flow"},"timestamp":"2018-05-21T00:15:00Z","Zoë":[1,2],"api_client":null,"zone":"eu"}\n'
    )


def test_a_prefix_stands_in_front() -> None:
    prefixed = DocumentRules(user_id=5234, prefix="a/b", line_details=True, max_document_bytes=1)
    assert event_document_of(event(), prefixed).key == f"a/b/{event_document_of(event(), RULES).key}"


def test_events_without_an_id_are_distinguished_by_their_content() -> None:
    one, same, other = (
        event_document_of(event(event_id=None, details=details), RULES)
        for details in ('{"force":true}', '{ "force": true }', '{"force":false}')
    )
    assert (one, one.key != other.key) == (same, True)
    assert one.job_id == hashlib.sha256(one.body).hexdigest()[:16]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"user_id": 77}, "wrong_account"),
        ({"user_id": None}, "bad_id"),
        ({"event_id": "../1"}, "bad_id"),
        ({"event_id": "1" * 22}, "bad_id"),
        ({"event_id": ""}, "bad_id"),
        ({"event": "../x"}, "bad_event"),
        ({"event": "User login"}, "bad_event"),
        ({"event": "x\n"}, "bad_event"),
        ({"event": "x" * 101}, "bad_event"),
        ({"event": None}, "bad_event"),
        ({"occurred_at": None}, "bad_time"),
        ({"occurred_at": "today"}, "bad_time"),
        ({"details": "{"}, "bad_json"),
        ({"user": "{,}"}, "bad_json"),
        ({"extra": {"x": "tru"}}, "bad_json"),
        ({"fault": QuarantineReason.BAD_TEXT, "fault_explanation": "event is not valid UTF-8"}, "bad_text"),
    ],
)  # fmt: skip
def test_a_record_that_cannot_become_a_document(
    changes: dict[str, Any], reason: str, check_message: CheckMessage
) -> None:
    with pytest.raises(BadRecordError) as refused:
        event_document_of(event(**changes), RULES)
    assert refused.value.reason == reason
    check_message(refused.value.explanation)


json_texts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=6,
).map(lambda value: json.dumps(value, indent=1))
columns = st.none() | json_texts


@pytest.mark.promise("event-documents")
@given(columns, columns, columns, columns, st.dictionaries(st.sampled_from(["zeta", "alpha"]), json_texts))
def test_everything_comes_out_as_it_went_in_and_a_null_column_leaves_its_key_out(
    details: str | None, user: str | None, team: str | None, resource: str | None, extra: dict[str, str]
) -> None:
    given_columns = {"details": details, "user": user, "team": team, "resource": resource}
    body = event_document_of(event(**given_columns, extra=extra), RULES).body
    there = {name: json.loads(text) for name, text in given_columns.items() if text is not None}
    expected = {"event": "recipe_started", **there, "timestamp": "2018-05-21T00:15:00Z"}
    expected |= {name: json.loads(extra[name]) for name in sorted(extra)}
    assert (list(json.loads(body).items()), body.count(b"\n"), body[-1:]) == (list(expected.items()), 1, b"\n")


# Keys

names = st.sampled_from(["user_login", "a", "a_a"]) | st.from_regex(r"[a-z0-9_]{1,20}", fullmatch=True)
ids = st.integers(0, 30) | st.integers(0, 10**21 - 1) | st.from_regex(r"[A-Za-z0-9-]{1,20}", fullmatch=True)
moments = st.integers(0, 90).map(lambda seconds: datetime(2018, 5, 21, tzinfo=UTC) + timedelta(seconds=seconds))
Event = tuple[int, Id, datetime, str]
events: st.SearchStrategy[Event] = st.tuples(st.integers(1, 30), ids, moments, names)


def key_of(one: Event) -> str:
    user_id, event_id, occurred_at, name = one
    stands_as = event_id_of(event_id)
    assert stands_as is not None
    return event_key(prefix="", user_id=user_id, event_id=stands_as, occurred_at=occurred_at, event=name)


@pytest.mark.promise("event-key")
@given(events, st.integers(-14, 14))
def test_a_key_is_made_of_its_event_and_nothing_else(one: Event, hours: int) -> None:
    user_id, event_id, occurred_at, name = one
    elsewhere = occurred_at.astimezone(timezone(timedelta(hours=hours)))
    stands_as = event_id_of(event_id)
    folder = f"{user_id}/admin_events/{occurred_at:%Y%m%d}/{formatted_id(stands_as or 0)}"
    key = f"{folder}/{user_id}-{stands_as}-{occurred_at:%Y%m%d%H%M%S}-{name}.json"
    assert [key_of(one), key_of((user_id, event_id, elsewhere, name))] == [key, key]


@pytest.mark.promise("event-key")
@given(events, events)
def test_two_events_have_one_key_only_if_they_are_the_same_event(one: Event, other: Event) -> None:
    def identity(event: Event) -> tuple[int, Id | None, datetime, str]:
        return event[0], event_id_of(event[1]), event[2], event[3]

    assert (key_of(one) == key_of(other)) == (identity(one) == identity(other))


@pytest.mark.promise("event-key")
@given(
    st.text() | st.from_regex(r"[A-Za-z0-9./\\-]+"),
    st.text() | st.from_regex(r"[A-Za-z0-9./\\_-]+"),
    st.none() | st.text(),
)
def test_whatever_a_source_has_a_key_stays_in_its_folder(event_id: str, name: str, details: str | None) -> None:
    for given_id in (event_id, None):
        try:
            key = event_document_of(event(event_id=given_id, event=name, details=details), RULES).key
        except BadRecordError as fault:
            assert fault.reason in {"bad_id", "bad_event", "bad_json"}
        else:
            folder = r"5234/admin_events/20180521/(\d{3}(/\d{3}){6}|[A-Za-z0-9-]+)"
            assert re.fullmatch(rf"{folder}/5234-[A-Za-z0-9-]+-20180521001500-[a-z0-9_]+\.json", key)


def test_the_id_that_an_item_list_has_is_the_events_own_or_that_of_its_document_as_the_rules_leave_it() -> None:
    redaction = Redaction([FieldRule(field="email", action="mask")])
    nameless, named = event(event_id=None, details='{"email":"a@b.example"}'), event(event_id=7)

    def documented(record: EventRecord) -> str:
        return str(event_document_of(record, RULES).job_id)

    assert item_id_of(nameless) == documented(nameless)
    assert item_id_of(nameless, redaction) == documented(redaction.event(nameless)) != documented(nameless)
    assert (item_id_of(named, redaction), item_id_of(event(event_id=None, event="No Name"))) == ("7", "None")
