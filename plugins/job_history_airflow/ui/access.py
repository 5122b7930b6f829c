"""Who may do what on the pages: Airflow's auth manager decides, for each request.

Whoever may see the hourly DAG may see the pages. Saving is editing the Variable with the accounts, so it takes the right to.
"""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import (
    DagAccessEntity,
    DagDetails,
    VariableDetails,
)
from airflow.api_fastapi.core_api.security import GetUserDep
from fastapi import Depends, HTTPException, status

from job_history.accounts.variable import ACCOUNTS_VARIABLE
from job_history_airflow.dag_ids import REPLICATION_DAG


def _viewer(user: GetUserDep) -> BaseUser:
    allowed = get_auth_manager().is_authorized_dag(
        method="GET", access_entity=DagAccessEntity.RUN, details=DagDetails(id=REPLICATION_DAG), user=user
    )
    if not allowed:
        raise HTTPException(
            status.HTTP_403_FORBIDDEN,
            f"You may not see the runs of the DAG {REPLICATION_DAG}. Ask your Airflow's admin.",
        )
    return user


Viewer = Annotated[BaseUser, Depends(_viewer)]


def may_edit(user: BaseUser) -> bool:
    """Whether a user may make and change the Variable with the accounts."""
    details = VariableDetails(key=ACCOUNTS_VARIABLE)
    manager = get_auth_manager()
    return manager.is_authorized_variable(method="PUT", details=details, user=user) and manager.is_authorized_variable(
        method="POST", details=details, user=user
    )


def may_start_runs(user: BaseUser) -> bool:
    """Whether a user may trigger the hourly DAG."""
    return get_auth_manager().is_authorized_dag(
        method="POST", access_entity=DagAccessEntity.RUN, details=DagDetails(id=REPLICATION_DAG), user=user
    )


def _editor(user: Viewer) -> BaseUser:
    if not may_edit(user):
        raise HTTPException(
            status.HTTP_403_FORBIDDEN,
            f"You may not edit the Airflow Variable {ACCOUNTS_VARIABLE}. Ask somebody who may, or your Airflow's admin.",
        )
    return user


Editor = Annotated[BaseUser, Depends(_editor)]
