"""Look up an Airflow connection that a setting names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from job_history.errors import PermanentError

if TYPE_CHECKING:
    from airflow.sdk import Connection


def find_connection(conn_id: str, named_by: str) -> Connection:
    """Return the connection. Raises PermanentError, which names the setting (`named_by`) and not the id, if there is none.

    What is not the id of a connection may be anything, such as a secret that was pasted into the wrong field.
    """
    try:
        return BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise PermanentError(
            f"There is no Airflow connection with the id in {named_by}. Create it (Admin > Connections), or correct the id."
        ) from None
