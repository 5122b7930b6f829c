"""A connection or Variable that cannot be read is not taken for one that does not exist."""

from __future__ import annotations

import json
from typing import Any

import pytest

from job_history.errors import PermanentError, ReplicationError, TransientError
from job_history.errors.code import Code


class BrokenBackend:
    """A secrets backend whose service is away."""

    def get_connection(self, conn_id: str) -> Any:
        raise ConnectionError(conn_id)

    def get_variable(self, key: str) -> Any:
        raise ConnectionError(key)


class Supervisor:
    """A task's supervisor, whose API server answers with an error."""

    def __init__(self, error: str) -> None:
        self._error = error

    def send(self, _message: Any) -> Any:
        from airflow.sdk.exceptions import ErrorType
        from airflow.sdk.execution_time.comms import ErrorResponse

        return ErrorResponse(error=ErrorType[self._error])


def looked_up(kind: str) -> ReplicationError:
    from job_history_airflow.factories.connections import find_connection
    from job_history_airflow.settings import load_accounts

    with pytest.raises(ReplicationError) as raised:
        find_connection("acme_s3", "destination.conn_id of account 5234") if kind == "connection" else load_accounts()
    return raised.value


@pytest.mark.parametrize("kind", ["connection", "variable"])
class TestLookup:
    def test_what_does_not_exist_is_to_be_created(self, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AIRFLOW_VAR_JOB_HISTORY_ACCOUNTS", raising=False)
        error = looked_up(kind)

        assert isinstance(error, PermanentError)
        assert error.code is None

    @pytest.mark.promise("unreadable-is-not-missing")
    def test_a_backend_that_is_away_is_transient_and_nothing_is_to_be_created(
        self, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AIRFLOW_VAR_JOB_HISTORY_ACCOUNTS", raising=False)
        where = "airflow.sdk.execution_time.supervisor.ensure_secrets_backend_loaded"
        monkeypatch.setattr(where, lambda: [BrokenBackend()])
        error = looked_up(kind)

        assert isinstance(error, TransientError)
        assert error.code is Code.AIRFLOW_UNAVAILABLE
        assert "Do not create it again" in str(error)

    @pytest.mark.parametrize(
        ("answer", "transient"),
        [
            ("API_SERVER_ERROR", True),
            ("GENERIC_ERROR", True),
            ("CONNECTION_NOT_FOUND", False),
            ("VARIABLE_NOT_FOUND", False),
        ],
    )
    def test_unreachable_api_server_is_distinguished_from_not_found(
        self, kind: str, answer: str, transient: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AIRFLOW_VAR_JOB_HISTORY_ACCOUNTS", raising=False)
        from airflow.sdk.execution_time import task_runner

        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", Supervisor(answer), raising=False)

        assert isinstance(looked_up(kind), TransientError) is transient


@pytest.mark.parametrize(
    "written", ['{"conn_type":', "postgres://u:p4ss@h:port/db", '{"conn_type": "aws", "foo": "p4ss"}']
)
def test_an_environment_variable_that_holds_no_connection_is_permanent(
    written: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ACME_S3", written)

    error = looked_up("connection")

    assert (type(error), error.code) == (PermanentError, Code.CONNECTION_UNUSABLE)
    assert "p4ss" not in str(error)


@pytest.mark.parametrize("extra", ["{oops", "[1]", '"text"', "null"])
def test_an_extra_that_is_no_json_object_is_an_error(extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_ACME_S3", json.dumps({"conn_type": "aws", "extra": extra}))

    error = looked_up("connection")

    assert (type(error), error.code) == (PermanentError, Code.CONNECTION_UNUSABLE)
