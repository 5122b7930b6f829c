"""What a user may do on the pages. Airflow's auth manager decides, on each request.

The pages give no right that Airflow itself does not give: a user who may not see the Variable with the accounts sees no
settings of an account here, and a user who may not see a connection cannot have it used.
"""

from __future__ import annotations

from typing import Annotated, Literal

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import (
    ConnectionDetails,
    DagAccessEntity,
    DagDetails,
    VariableDetails,
)
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Depends, HTTPException, status

from job_history.accounts.variable import ACCOUNTS_VARIABLE
from job_history_airflow.dag_ids import REPLICATION_DAG

_DAG = DagDetails(id=REPLICATION_DAG)
_VARIABLE = VariableDetails(key=ACCOUNTS_VARIABLE)


def may_see_runs(user: BaseUser) -> bool:
    """Whether a user may see the runs of the hourly DAG, and so the status of each account."""
    return _may(user, "GET", DagAccessEntity.RUN)


def may_see_logs(user: BaseUser) -> bool:
    """Whether a user may read the logs of the hourly DAG's tasks, and so the errors that they log."""
    return _may(user, "GET", DagAccessEntity.TASK_LOGS)


def may_start_runs(user: BaseUser) -> bool:
    """Whether a user may trigger the hourly DAG."""
    return _may(user, "POST", DagAccessEntity.RUN)


def _may(user: BaseUser, method: Literal["GET", "POST"], entity: DagAccessEntity) -> bool:
    return get_auth_manager().is_authorized_dag(method=method, access_entity=entity, details=_DAG, user=user)


def may_see_accounts(user: BaseUser) -> bool:
    """Whether a user may see the Variable with the accounts, and so their settings."""
    return get_auth_manager().is_authorized_variable(method="GET", details=_VARIABLE, user=user)


def may_edit_accounts(user: BaseUser) -> bool:
    """Whether a user may see, create and change the Variable with the accounts."""
    manager = get_auth_manager()
    return may_see_accounts(user) and all(
        manager.is_authorized_variable(method=method, details=_VARIABLE, user=user) for method in ("PUT", "POST")
    )


def may_use_connection(user: BaseUser, conn_id: str) -> bool:
    """Whether a user may see a connection, and so name it in an account."""
    return get_auth_manager().is_authorized_connection(
        method="GET", details=ConnectionDetails(conn_id=conn_id), user=user
    )


def _viewer(user: GetUserDep) -> BaseUser:
    if not may_see_runs(user):
        raise _forbidden(f"You may not see the runs of the DAG {REPLICATION_DAG}.")
    return user


Viewer = Annotated[BaseUser, Depends(_viewer)]


def _reader(user: Viewer) -> BaseUser:
    if not may_see_accounts(user):
        raise _forbidden(f"You may not see the Airflow Variable {ACCOUNTS_VARIABLE}.")
    return user


Reader = Annotated[BaseUser, Depends(_reader)]


def _editor(user: Viewer) -> BaseUser:
    if not may_edit_accounts(user):
        raise _forbidden(f"You may not edit the Airflow Variable {ACCOUNTS_VARIABLE}.")
    return user


Editor = Annotated[BaseUser, Depends(_editor)]


def _forbidden(reason: str) -> HTTPException:
    return HTTPException(status.HTTP_403_FORBIDDEN, f"{reason} Ask the administrator of your Airflow for the right.")
