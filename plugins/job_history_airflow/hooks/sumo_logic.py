"""The hook of connections of type `sumo_logic`: an HTTP Logs source of Sumo Logic."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from airflow.sdk import BaseHook
from airflow.sdk.log import mask_secret

from job_history.destinations.sumo_logic import RETRIES, Endpoint, HttpSource, endpoint_of
from job_history.errors import ReplicationError
from job_history.errors.code import Severity
from job_history.http.retry import Retries
from job_history.http.session import http_session
from job_history.preflight.sumo_logic import check_sumo_logic


class SumoLogicHook(BaseHook):
    """Sends logs to an HTTP Logs source.

    The connection's password is the source's whole URL, which is a credential: anyone who has it can send. Or, in the
    newer form, host is the URL without token (`https://.../receiver/v1/http`) and password the token. Extra, optional:
    `verify`, a PEM file with the certificate authorities to trust.

    :param sumo_logic_conn_id: the Airflow connection
    :param headers: of every request, such as `X-Sumo-Category`; the source's own settings apply to what is left out
    :param retries: the number of attempts, and the waits between them
    :param max_seconds: of one request; None for those of any client
    """

    conn_name_attr = "sumo_logic_conn_id"
    default_conn_name = "sumo_logic_default"
    conn_type = "sumo_logic"
    hook_name = "Sumo Logic"

    def __init__(
        self,
        sumo_logic_conn_id: str = default_conn_name,
        *,
        headers: Mapping[str, str] | None = None,
        retries: Retries = RETRIES,
        max_seconds: float | None = None,
    ) -> None:
        super().__init__()
        self.sumo_logic_conn_id = sumo_logic_conn_id
        self.headers = dict(headers or {})
        self.retries = retries
        self.max_seconds = max_seconds

    def get_conn(self) -> HttpSource:
        """Return a client of the source.

        Raises PermanentError: the connection holds no usable URL, or names certificate authorities that cannot be used.
        """
        verify = self.get_connection(self.sumo_logic_conn_id).extra_dejson.get("verify")
        session = http_session(verify=verify, max_seconds=self.max_seconds)
        return HttpSource(self.endpoint(), session, headers=self.headers, retries=self.retries)

    def endpoint(self) -> Endpoint:
        """Return the source's address, and mask its secrets in all logs from now on."""
        connection = self.get_connection(self.sumo_logic_conn_id)
        endpoint = endpoint_of(host=connection.host, password=connection.password)
        for secret in endpoint.secrets:
            mask_secret(secret)
        return endpoint

    def test_connection(self) -> tuple[bool, str]:
        """Post one small message that is marked as a test, as a preflight does."""
        try:
            source = self.get_conn()
        except ReplicationError as error:
            return False, str(error)
        found = check_sumo_logic(source, account=None, now=datetime.now(UTC))
        if found:
            return all(finding.severity is Severity.WARNING for finding in found), " ".join(map(str, found))
        return True, f"The Sumo Logic source {source.endpoint.shown} accepted a message that is marked as a test."
