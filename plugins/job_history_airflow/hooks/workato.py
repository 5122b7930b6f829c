"""The hook of connections of type `workato`: the Developer API of a workspace, or of an embedded partner."""

from __future__ import annotations

import re
from typing import Any

import msgspec
from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from job_history.errors import PermanentError, ReplicationError
from job_history.http.session import one_connection
from job_history.sources.workato import (
    DIRECT_REQUESTS_A_MINUTE,
    EMBEDDED_REQUESTS_A_MINUTE,
    Endpoint,
    RateLimiter,
    Retries,
    SharedRateLimiter,
    Unlimited,
    WorkatoClient,
    endpoint_of,
)
from job_history.storage import Storage

_EXTRA_NAMES = {"requests_per_minute", "budget"}
_BUDGET_NAME = re.compile(r"[A-Za-z0-9_.-]+")


class WorkatoHook(BaseHook):
    """Reads recipes and jobs.

    The connection's host is the data centre's base URL (empty: the first one's), its password the token of an API client.
    Extra, both optional: `requests_per_minute` (60, and 1,000 for an embedded partner) and `budget`, a name that
    connections to the same workspace or partner share where there are several.

    :param workato_conn_id: the Airflow connection
    :param managed_user_id: a customer of an embedded partner: its id, or `E` and its external id
    """

    conn_name_attr = "workato_conn_id"
    default_conn_name = "workato_default"
    conn_type = "workato"
    hook_name = "Workato"

    def __init__(self, workato_conn_id: str = default_conn_name, *, managed_user_id: str | None = None) -> None:
        super().__init__()
        self.workato_conn_id = workato_conn_id
        self.managed_user_id = managed_user_id

    def get_conn(self, budget: RateLimiter | None = None, *, retries: Retries | None = None) -> WorkatoClient:
        """Return a client. Raises PermanentError where the connection holds no usable URL or token.

        Without a budget it sends as fast as it is used, which is for a few requests by hand.
        """
        return WorkatoClient(
            self.endpoint(),
            one_connection(),
            budget or Unlimited(),
            managed_user_id=self.managed_user_id,
            retries=retries or Retries(),
        )

    def endpoint(self) -> Endpoint:
        """Return where the API is, and keep its token out of all logs from now on."""
        connection = self.get_connection(self.workato_conn_id)
        endpoint = endpoint_of(host=connection.host, password=connection.password, port=connection.port)
        mask_secret(endpoint.token)
        return endpoint

    def shared_rate_limiter(self, storage: Storage) -> SharedRateLimiter:
        """Return this task's hold on the request budget that all tasks share through the storage."""
        extra = self._extra()
        kind, usual = ("direct", DIRECT_REQUESTS_A_MINUTE)
        if self.managed_user_id is not None:
            kind, usual = ("embedded", EMBEDDED_REQUESTS_A_MINUTE)
        limit = extra.get("requests_per_minute", usual)
        name = extra.get("budget", self.workato_conn_id)
        if type(limit) is not int:
            raise PermanentError(f"requests_per_minute in the connection's extra is {limit!r}: write a whole number.")
        if not isinstance(name, str) or not _BUDGET_NAME.fullmatch(name):
            raise PermanentError(f"budget in the connection's extra is {name!r}: use letters, digits and _ . -")
        # Apart, because the platform counts a partner's own workspace and its customers' apart.
        return SharedRateLimiter(storage, f"{name}-{kind}", limit)

    def test_connection(self) -> tuple[bool, str]:
        """Ask the API who the token belongs to."""
        try:
            client = self.get_conn(retries=Retries(attempts=1))
            workspace = client.me()
        except ReplicationError as fault:
            return False, str(fault)
        return True, f"{client} knows the token: workspace {_value(workspace, 'id')}, {_value(workspace, 'name')}."

    def _extra(self) -> dict[str, Any]:
        extra: dict[str, Any] = self.get_connection(self.workato_conn_id).extra_dejson
        if unknown := sorted(extra.keys() - _EXTRA_NAMES):
            raise PermanentError(
                f"The connection's extra has unknown keys {unknown}: known are {sorted(_EXTRA_NAMES)}."
            )
        return extra


def _value(envelope: dict[str, msgspec.Raw], name: str) -> Any:
    return msgspec.json.decode(envelope[name]) if name in envelope else "unknown"
