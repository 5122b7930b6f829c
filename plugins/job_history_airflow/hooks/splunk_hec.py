"""The hook of connections of type `splunk_hec`: an HTTP Event Collector of Splunk."""

from __future__ import annotations

from datetime import UTC, datetime

from airflow.sdk import BaseHook

from job_history.accounts.message_settings import SplunkHecDestinationSettings
from job_history.destinations.messages.encoders import SplunkEncoder
from job_history.destinations.messages.receiver import HttpReceiver
from job_history.errors import ReplicationError
from job_history.preflight.receiver import check_receiver
from job_history_airflow.factories.receivers import splunk_address


class SplunkHecHook(BaseHook):
    """Sends events to an HTTP Event Collector.

    The connection's host is the URL of the collector (`https://splunk.example.com:8088`), its password a token. Extra,
    optional: `verify`, a PEM file with the certificate authorities to trust.

    :param splunk_hec_conn_id: the Airflow connection
    """

    conn_name_attr = "splunk_hec_conn_id"
    default_conn_name = "splunk_hec_default"
    conn_type = "splunk_hec"
    hook_name = "Splunk HTTP Event Collector"

    def __init__(self, splunk_hec_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.settings = SplunkHecDestinationSettings(type="splunk_hec", conn_id=splunk_hec_conn_id)

    def get_conn(self) -> HttpReceiver:
        """Return a client of the collector.

        Raises PermanentError: the connection has no usable URL or token, or names certificate authorities that cannot
        be used.
        """
        return HttpReceiver.at(splunk_address(self.settings, "this form"))

    def test_connection(self) -> tuple[bool, str]:
        """Post one small event that is marked as a test, as a preflight does."""
        try:
            collector = self.get_conn()
        except ReplicationError as error:
            return False, str(error)
        if found := check_receiver(collector, None, SplunkEncoder(self.settings), now=datetime.now(UTC)):
            return False, " ".join(map(str, found))
        return True, f"{collector.address.name.capitalize()} accepted an event that is marked as a test."
