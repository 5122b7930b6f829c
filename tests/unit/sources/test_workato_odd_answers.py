"""Answers of the API that parsers disagree about: halves of surrogate pairs, bytes that are no UTF-8, deep nesting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.scripted_store import ScriptedStore, scripted_store

from job_history.documents.job_document import DocumentRules, document_of
from job_history.errors import BadRecordError, PermanentError, TransientError
from job_history.errors.code import Code
from job_history.http.session import http_session
from job_history.model.window import Window
from job_history.sources.workato import Endpoint, Unlimited, WorkatoClient, WorkatoSource

NOON = datetime(2018, 5, 21, 12, tzinfo=UTC)
WINDOW = Window(NOON, NOON + timedelta(hours=1))
RULES = DocumentRules(user_id=5234, prefix="", line_details=True, max_document_bytes=1_000_000)
JOB = (
    b'"id":%b,"recipe_id":7,"status":"succeeded","started_at":"2018-05-21T12:00:00Z",'
    b'"completed_at":"2018-05-21T12:00:10Z","title":%b'
)


@contextmanager
def answering(*, recipes: bytes, jobs: bytes, job: bytes, me: bytes = b'{"id":5234}') -> Iterator[WorkatoSource]:
    """Serve one recipe with one page of jobs."""
    with scripted_store() as store:
        store.answers = _Answers(recipes, jobs, job, me, store)
        client = WorkatoClient(
            Endpoint(store.address, "token-1"), http_session(), Unlimited(), sleep=lambda _: None, jitter=lambda: 0.0
        )
        yield WorkatoSource(client, clock=WINDOW.end.timestamp)


class _Answers(dict[str, Any]):
    """By the path of a request."""

    def __init__(self, recipes: bytes, jobs: bytes, job: bytes, me: bytes, store: ScriptedStore) -> None:
        self._bodies = {"/users/me": me, "/jobs/": job, "/jobs": jobs, "/recipes": recipes}
        self._store = store

    def __getitem__(self, method: str) -> Any:
        path = self._store.paths[-1]
        if "since_id" in path:
            return 200, {}, b'{"items":[]}'
        return 200, {}, next(body for part, body in self._bodies.items() if part in path)


def listed(title: bytes = b'"t"', job_id: bytes = b'"j-1"', more: bytes = b"") -> dict[str, bytes]:
    job = JOB % (job_id, title)
    return {
        "recipes": b'{"items":[{"id":7}]}',
        "jobs": b'{"items":[{%b}],"job_succeeded_count":1,"job_failed_count":0,"job_count":1%b}' % (job, more),
        "job": b'{%b,"lines":[]}' % job,
    }


def documents(source: WorkatoSource) -> list[bytes | str]:
    made: list[bytes | str] = []
    with source.listing(5234, WINDOW, line_details=True) as jobs:
        for record in jobs:
            try:
                made.append(document_of(record, "succeeded", RULES).body)
            except BadRecordError as fault:
                made.append(fault.reason.value)
    return made


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        (rb'"cut \ud83d"', "cut \ufffd".encode()),
        (rb'"\ude00 cut"', "\ufffd cut".encode()),
        (rb'"\ud83d\ude00 \uD83D"', "\U0001f600 \ufffd".encode()),
        (rb'"\\ud83d \ud83d"', b"\\\\ud83d \xef\xbf\xbd"),
    ],
)
def test_a_title_that_was_cut_within_an_emoji_stops_no_job(title: bytes, expected: bytes) -> None:
    """JSON allows half a surrogate pair as an escape (RFC 8259, 8.2): the whole page was unreadable, for ever."""
    with answering(**listed(title)) as source:
        [document] = documents(source)
    assert b'"title":"%b"' % expected in document  # type: ignore[operator]


@pytest.mark.parametrize("part", ["recipes", "jobs", "me"])
def test_bytes_that_are_no_utf_8_are_an_error_of_ours(part: str) -> None:
    answers = {**listed(), "me": b'{"id":5234}'}
    broken = {
        "recipes": b'{"items":[{"id":7,"last_run_at":"\xff"}]}',
        "jobs": b'{"items":[],"job_count":"\xff"}',
        "me": b'{"id":"\xff"}',
    }
    with answering(**{**answers, part: broken[part]}) as source, pytest.raises(PermanentError):
        documents(source)


def test_a_page_may_have_more_than_is_documented() -> None:
    with answering(**listed(more=b',"more":"\xff","most":' + b"1" * 5_000)) as source:
        assert len(documents(source)) == 1


@pytest.mark.parametrize("job_id", [b'"' + b"j" * 70_000 + b'"', b'"../../managed_users/1"', b'""'])
def test_an_id_that_is_none_is_quarantined_and_not_asked_for(job_id: bytes) -> None:
    """A path of that length is an error of the whole request, and so of all jobs."""
    with answering(**{**listed(job_id=job_id), "job": b"no JSON"}) as source:
        assert documents(source) == ["bad_id"]


def test_nesting_beyond_what_can_be_read_is_named_and_not_tried_again() -> None:
    deep = b"[" * 3_000 + b"]" * 3_000
    with answering(**listed(title=deep)) as source, pytest.raises(PermanentError, match="nested too deeply") as raised:
        documents(source)
    assert raised.value.code is Code.WORKATO_UNDOCUMENTED


@pytest.mark.parametrize(
    ("body", "problem"), [(b'{"items":[{"id"', "cut short"), (b'{"items":[NaN]}', "no valid JSON")]
)
def test_what_is_wrong_with_an_answer_is_named(body: bytes, problem: str) -> None:
    with answering(**{**listed(), "jobs": body}) as source, pytest.raises(TransientError, match=problem):
        documents(source)
