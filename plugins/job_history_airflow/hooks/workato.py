"""The hook of connections of type `workato`: the Developer API of a workspace, or of an embedded partner."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import msgspec
from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from job_history.errors import PermanentError, ReplicationError
from job_history.errors.quoting import quoted
from job_history.http.retry import Retries
from job_history.http.session import http_session
from job_history.sources.workato import (
    ACTIVITY_REQUESTS_A_MINUTE,
    DIRECT_REQUESTS_A_MINUTE,
    EMBEDDED_REQUESTS_A_MINUTE,
    RETRIES,
    Endpoint,
    RateLimiter,
    SharedRateLimiter,
    Unlimited,
    WorkatoClient,
    endpoint_of,
)
from job_history.storage import Storage

_EXTRA_NAMES = {"requests_per_minute", "activity_requests_per_minute", "budget", "verify"}
_BUDGET_NAME = re.compile(r"[A-Za-z0-9_.-]+")


class WorkatoHook(BaseHook):
    """Reads recipes and jobs.

    The connection's host is the data centre's base URL (empty: the first one's), its password the token of an API
    client. Extra, all optional: `requests_per_minute` (60, and 1,000 for an embedded partner);
    `activity_requests_per_minute` (60), of the activity log; `budget`, a name that several connections to the same
    workspace or partner share; `verify`, a PEM file with the certificate authorities to trust.

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

    def get_conn(self, rate_limiter: RateLimiter | None = None, *, retries: Retries = RETRIES) -> WorkatoClient:
        """Return a client. Without a rate limiter, which is for a few requests by hand, it never waits before a
        request.

        Raises PermanentError: the connection holds no usable URL or token, or names certificate authorities that cannot
        be used.
        """
        return WorkatoClient(
            self.endpoint(),
            http_session(verify=self._extra().get("verify")),
            rate_limiter or Unlimited(),
            managed_user_id=self.managed_user_id,
            retries=retries,
        )

    def endpoint(self) -> Endpoint:
        """Return the API's address, and mask its token in all logs from now on."""
        connection = self.get_connection(self.workato_conn_id)
        endpoint = endpoint_of(host=connection.host, password=connection.password, port=connection.port)
        mask_secret(endpoint.token)
        return endpoint

    def shared_rate_limiter(self, storage: Storage, *, activity_log: bool = False) -> SharedRateLimiter:
        """Return the rate limiter that all tasks share through the storage: of jobs and recipes, or of the activity
        log.
        """
        extra = self._extra()
        kind, usual = ("direct", DIRECT_REQUESTS_A_MINUTE)
        if self.managed_user_id is not None:
            kind, usual = ("embedded", EMBEDDED_REQUESTS_A_MINUTE)
        setting = "requests_per_minute"
        if activity_log:
            kind, usual, setting = f"{kind}-activity", ACTIVITY_REQUESTS_A_MINUTE, "activity_requests_per_minute"
        limit = extra.get(setting, usual)
        name = extra.get("budget", self.workato_conn_id)
        if type(limit) is not int:
            raise PermanentError(f"{setting} in the connection's extra is {quoted(limit)}: write a whole number.")
        if not isinstance(name, str) or not _BUDGET_NAME.fullmatch(name):
            raise PermanentError(f"budget in the connection's extra is {quoted(name)}: use letters, digits and _ . -")
        # Separate names, because the platform counts a partner's own workspace and its customers' separately.
        return SharedRateLimiter(storage, f"{name}-{kind}", limit)

    def test_connection(self) -> tuple[bool, str]:
        """Ask the API which workspace the token belongs to."""
        try:
            client = self.get_conn(retries=replace(RETRIES, attempts=1))
            workspace = client.me()
        except ReplicationError as fault:
            return False, str(fault)
        return True, f"{client} accepts the token: workspace {_value(workspace, 'id')}, {_value(workspace, 'name')}."

    def _extra(self) -> dict[str, Any]:
        extra: dict[str, Any] = self.get_connection(self.workato_conn_id).extra_dejson
        if unknown := sorted(extra.keys() - _EXTRA_NAMES):
            raise PermanentError(
                f"The connection's extra has unknown keys {unknown}: known are {sorted(_EXTRA_NAMES)}."
            )
        return extra


def _value(envelope: dict[str, msgspec.Raw], name: str) -> Any:
    return msgspec.json.decode(envelope[name]) if name in envelope else "unknown"
