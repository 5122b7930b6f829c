"""Distinguish a connection or Variable that does not exist from one that cannot be read now.

Airflow's own look-up treats both as missing: it goes from one secrets backend to the next, whatever a backend raises.
An on-call person who then creates the Variable as advised would overwrite the settings.
"""

from __future__ import annotations

from typing import Any, Literal

from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType

from job_history.errors import PermanentError, TransientError
from job_history.errors.catalogue import finding
from job_history.errors.code import Code

Kind = Literal["connection", "variable"]
_NOT_FOUND = {ErrorType.CONNECTION_NOT_FOUND, ErrorType.VARIABLE_NOT_FOUND}


def check_really_missing(kind: Kind, name: str, about: str) -> None:
    """Raise TransientError if a connection or Variable that was not found cannot be read at the moment, and
    PermanentError if an environment variable (AIRFLOW_CONN_...) holds what is no connection.

    `about`: how the message begins; a name that is none may be a secret.
    """
    reason = _reason_from_supervisor(kind, name) or _reason_from_backends(kind, name, about)
    if reason is not None:
        found = finding(Code.AIRFLOW_UNAVAILABLE, about, detail=reason)
        raise TransientError(f"{found.cause} {found.fix}", code=found.code, detail=reason)


def _reason_from_supervisor(kind: Kind, name: str) -> str | None:
    """In a task, ask through its supervisor, which distinguishes errors of the API server."""
    from airflow.sdk.execution_time import task_runner

    supervisor: Any = getattr(task_runner, "SUPERVISOR_COMMS", None)
    if supervisor is None:
        return None
    from airflow.sdk.execution_time.comms import ErrorResponse, GetConnection, GetVariable

    try:
        answer = supervisor.send(GetConnection(conn_id=name) if kind == "connection" else GetVariable(key=name))
    except AirflowRuntimeError as error:
        return None if error.error.error in _NOT_FOUND else f"the API server: {error.error.error.value}"
    except Exception as error:  # noqa: BLE001 - whatever it is, the answer is not "not found"
        return f"the API server: {type(error).__name__}"
    unreadable = isinstance(answer, ErrorResponse) and answer.error not in _NOT_FOUND
    return f"the API server: {answer.error.value}" if unreadable else None


def _reason_from_backends(kind: Kind, name: str, about: str) -> str | None:
    from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded

    for backend in ensure_secrets_backend_loaded():
        try:
            if kind == "connection":
                backend.get_connection(conn_id=name)
            else:
                backend.get_variable(key=name)
        except NotImplementedError:
            continue
        except (TypeError, ValueError) as error:
            if type(backend).__name__ == "EnvironmentVariablesBackend":
                raise _malformed(about, error) from None
            return f"{type(backend).__name__}: {type(error).__name__}"
        except Exception as error:  # noqa: BLE001 - whatever it is, the answer is not "not found"
            return f"{type(backend).__name__}: {type(error).__name__}"
    return None


def _malformed(about: str, error: Exception) -> PermanentError:
    detail = f"it is in an environment variable (AIRFLOW_CONN_...) that Airflow cannot read: {type(error).__name__}"
    return PermanentError(
        f"{about} cannot be used: {detail}. Correct the variable: JSON or a URI, as Airflow's documentation of "
        "connections describes.",
        code=Code.CONNECTION_UNUSABLE,
        detail=detail,
    )
