"""What a preflight of a source finds: SQLite here, PostgreSQL in tests/contract; the platform's API by its local
one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.support.certificates import self_signed_server
from tests.support.golden_messages import CheckMessage
from tests.support.job_stores import SqliteStore
from tests.support.sockets import tls_server
from tests.unit.samples import account

from job_history.errors.catalogue import CATALOGUE
from job_history.errors.code import Code, Severity
from job_history.http.session import http_session
from job_history.preflight.sources import check_source
from job_history.sources.sql import SqlEventSource, SqlJobSource, dialect_for
from job_history.sources.workato import RETRIES, Unlimited, WorkatoClient, WorkatoSource, endpoint_of
from simulators.processes import free_port
from simulators.workato import Fault, LocalWorkato, SampleRecipe, Workspace, local_workato, slow, throttled

ACME = account()
WITHOUT_LINES = account(events={"job_history": True})
TOKEN = "CANARY-token/0123456789=="
NOON = datetime(2018, 5, 21, 12, tzinfo=UTC)


def reported(source: Any, of: Any = ACME) -> list[tuple[Code, Severity, str]]:
    found = check_source(source, of)
    assert [finding.fix for finding in found] == [CATALOGUE[finding.code].fix for finding in found]
    assert TOKEN not in repr(found)
    return [
        (finding.code, finding.severity, finding.cause.removeprefix("Account 5234 Acme, source 'job_store': "))
        for finding in found
    ]


class TestSql:
    @pytest.fixture
    def store(self, tmp_path: Path) -> SqliteStore:
        return SqliteStore(tmp_path)

    def test_relations_that_have_all_columns(self, store: SqliteStore) -> None:
        assert reported(store.source()) == []
        assert reported(SqlEventSource(store.connect, dialect_for("sqlite"))) == []

    def test_relations_that_are_not_there(self, tmp_path: Path) -> None:
        empty = SqliteStore(tmp_path, empty=True)

        assert reported(empty.source()) == [
            (
                Code.SQL_NOT_FOUND,
                Severity.ERROR,
                "a relation does not exist: no such table: job_history_jobs (OperationalError).",
            )
        ]
        assert reported(SqlEventSource(empty.connect, dialect_for("sqlite"))) == [
            (
                Code.SQL_NOT_FOUND,
                Severity.ERROR,
                "a relation does not exist: no such table: job_history_admin_events (OperationalError).",
            )
        ]

    def test_columns_that_are_missing(self, store: SqliteStore) -> None:
        store.execute(
            "ALTER TABLE job_history_jobs DROP COLUMN title", "ALTER TABLE job_history_jobs DROP COLUMN report"
        )

        assert reported(store.source()) == [
            (
                Code.SQL_COLUMN_MISSING,
                Severity.ERROR,
                "a column is missing: the relation job_history_jobs lacks the columns title, report.",
            )
        ]

    def test_a_column_that_a_document_could_not_have_twice(self, store: SqliteStore) -> None:
        store.execute("ALTER TABLE job_history_jobs ADD COLUMN flow_id integer")

        assert reported(store.source()) == [
            (
                Code.SQL_COLUMN_CLASHES,
                Severity.ERROR,
                "a column has a reserved name: the relation job_history_jobs has a column 'flow_id', which is the "
                "name of a document's own field.",
            )
        ]

    def test_lines_are_looked_at_where_the_account_wants_them(self, store: SqliteStore) -> None:
        store.execute("DROP TABLE job_history_lines")

        assert reported(store.source(), WITHOUT_LINES) == []
        assert [code for code, _, _ in reported(store.source())] == [Code.SQL_NOT_FOUND]

    @pytest.mark.parametrize(
        ("fault", "code", "severity"),
        [
            (sqlite3.OperationalError("database is locked"), Code.SQL_AWAY, Severity.TRANSIENT),
            (
                sqlite3.OperationalError('FATAL: password authentication failed for user "reader"'),
                Code.SQL_NOT_LET_IN,
                Severity.ERROR,
            ),
            (sqlite3.DatabaseError("database disk image is malformed"), Code.SQL_NOT_READABLE, Severity.ERROR),
        ],
    )
    def test_a_database_that_does_not_open(
        self, fault: Exception, code: Code, severity: Severity, check_message: CheckMessage
    ) -> None:
        def connect() -> Any:
            raise fault

        ((found, severity_found, cause),) = reported(SqlJobSource(connect, dialect_for("sqlite")))

        assert (found, severity_found) == (code, severity)
        assert str(fault) in cause
        check_message(cause)


class TestWorkato:
    @pytest.fixture
    def api(self) -> Iterator[LocalWorkato]:
        workspace = Workspace(user_id=5234, token=TOKEN, recipes=[SampleRecipe(recipe_id=7)])
        with local_workato(workspaces=[workspace], now=NOON) as running:
            yield running

    def source(self, url: str, *, answer_seconds: float = 20) -> WorkatoSource:
        endpoint = endpoint_of(host=url, password=TOKEN)
        client = WorkatoClient(
            endpoint, http_session(), Unlimited(), retries=replace(RETRIES, attempts=1), timeout=(20, answer_seconds)
        )
        return WorkatoSource(client)

    def test_two_requests_say_that_it_can_be_read(self, api: LocalWorkato) -> None:
        assert reported(self.source(api.url)) == []
        assert [request.path.partition("?")[0] for request in api.requests()] == ["/api/users/me", "/api/recipes"]

    @pytest.mark.parametrize(
        ("fault", "code"),
        [
            (Fault(status=400, body="{}"), Code.WORKATO_BAD_REQUEST),
            (Fault(status=401, body="{}"), Code.WORKATO_UNAUTHORIZED),
            (Fault(status=403, body="{}"), Code.WORKATO_FORBIDDEN),
            (Fault(status=404, body="{}"), Code.WORKATO_NOT_FOUND),
            (Fault(status=418, body="{}"), Code.WORKATO_REFUSED),
            (Fault(status=302), Code.WORKATO_REDIRECT),
            (throttled(), Code.WORKATO_BUSY),
            (Fault(status=503, body="{}"), Code.WORKATO_BUSY),
            (slow(25), Code.WORKATO_UNREACHABLE),
            (Fault(body="<html>", path="users/me"), Code.WORKATO_UNREACHABLE),
            (Fault(body='{"things": []}', path="recipes"), Code.WORKATO_UNDOCUMENTED),
        ],
        ids=lambda value: str(value) if isinstance(value, Code) else f"{value.status} {value.body}",
    )
    def test_an_answer_is_named(self, api: LocalWorkato, fault: Fault, code: Code, check_message: CheckMessage) -> None:
        api.script([fault])

        ((found, severity, cause),) = reported(self.source(api.url, answer_seconds=0.3 if fault.delay else 20))

        assert (found, severity) == (code, CATALOGUE[code].severity)
        check_message(cause)

    def test_a_role_that_sees_no_project(self, api: LocalWorkato) -> None:
        api.script([Fault(body='{"items": []}', path="recipes")])

        assert reported(self.source(api.url)) == [
            (
                Code.WORKATO_NO_RECIPES,
                Severity.ERROR,
                f"the recipes cannot be seen (The API at {api.url} lists no recipes, but counts 1).",
            )
        ]

    def test_a_token_of_another_workspace_than_the_account_s(self) -> None:
        with local_workato(workspaces=[Workspace(user_id=77, token=TOKEN, recipes=[SampleRecipe(recipe_id=7)])]) as api:
            ((code, severity, cause),) = reported(self.source(api.url))

        assert (code, severity) == (Code.WORKATO_WRONG_WORKSPACE, Severity.ERROR)
        assert "gives the workspace 77, and the account's user_id is 5234" in cause

    def test_no_server_there(self) -> None:
        url = f"http://127.0.0.1:{free_port()}"

        assert reported(self.source(url)) == [
            (
                Code.WORKATO_UNREACHABLE,
                Severity.TRANSIENT,
                "no whole answer (could not be reached: no connection).",
            )
        ]

    def test_untrusted_certificate(self, tmp_path: Path) -> None:
        with tls_server(self_signed_server(tmp_path)) as port:
            assert [code for code, _, _ in reported(self.source(f"https://127.0.0.1:{port}"))] == [
                Code.WORKATO_CERTIFICATE
            ]

    def test_requests_that_cannot_be_made(self) -> None:
        class Broken:
            def get(self, *_: Any, **__: Any) -> Any:
                raise ValueError(f"No such adapter for {TOKEN}")

        endpoint = endpoint_of(host="https://www.workato.com", password=TOKEN)

        source = WorkatoSource(WorkatoClient(endpoint, Broken(), Unlimited()))  # type: ignore[arg-type]
        assert [(code, TOKEN in cause) for code, _, cause in reported(source)] == [(Code.WORKATO_HOST_UNUSABLE, False)]
