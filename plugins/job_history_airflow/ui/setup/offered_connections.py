"""The ids of the connections that a field offers: of the right type, and visible to the user."""

from __future__ import annotations

from functools import cache
from pkgutil import resolve_name

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.models.connection import Connection
from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime
from sqlalchemy import select
from sqlalchemy.orm import Session

from job_history.accounts.account import Account
from job_history.destinations.kind import installed_kinds
from job_history_airflow.factories.sealing import WITNESS_TYPE
from job_history_airflow.ui.setup.account_entries import Errors

_TYPES_OF = {
    "workato": ("workato",),
    "witness_conn_id": (WITNESS_TYPE,),
    **{kind.name: kind.connection_types for kind in installed_kinds()},
}


def visible_connections(session: Session, user: BaseUser) -> dict[str, str]:
    """Return the type of each connection in Airflow's database that the user may see, by id."""
    visible = get_auth_manager().get_authorized_connections(user=user, session=session)
    rows = session.execute(select(Connection.conn_id, Connection.conn_type).order_by(Connection.conn_id))
    return {conn_id: conn_type or "" for conn_id, conn_type in rows if conn_id in visible}


def names_for(kind: str, connections: dict[str, str]) -> list[str]:
    """Return the ids of those that fit a kind of source or destination, or a field of the account."""
    if kind in _TYPES_OF:
        return [conn_id for conn_id, conn_type in connections.items() if conn_type in _TYPES_OF[kind]]
    return [conn_id for conn_id, conn_type in connections.items() if _is_database(conn_type)]


def unfit_connections(account: Account, connections: dict[str, str]) -> Errors:
    """Return an error if the account's witness is known to be of a type that takes no heads of seals."""
    named = account.witness_conn_id
    if named is None or connections.get(named, WITNESS_TYPE) == WITNESS_TYPE:
        return {}
    return {"witness_conn_id": [f"is of type {connections[named]}; name a connection of type {WITNESS_TYPE}"]}


@cache
def _is_database(conn_type: str) -> bool:
    """Whether connections of this type have a DbApiHook.

    This imports the hook's class, so only types in use are asked.
    """
    from airflow.providers.common.sql.hooks.sql import DbApiHook

    hook = ProvidersManagerTaskRuntime().hooks.get(conn_type)  # type: ignore[no-untyped-call]
    if hook is None:
        return False
    try:
        hook_class = resolve_name(hook.hook_class_name)
    except (ImportError, AttributeError):
        return False
    return isinstance(hook_class, type) and issubclass(hook_class, DbApiHook)
