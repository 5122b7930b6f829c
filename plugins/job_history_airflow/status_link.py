"""The address of the status page in the Airflow UI, and the button on `report` that leads to it."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from airflow.configuration import conf
from airflow.sdk import BaseOperatorLink

from job_history.model.timestamp import format_time

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

_PATH = "/plugin/job-history-status/job-history/status"


def status_page_url(until: datetime | None = None) -> str:
    """Return the address of the page with the hours that end with `until`; relative if `[api] base_url` is not set."""
    base_url = (conf.get("api", "base_url", fallback="") or "").rstrip("/")
    return f"{base_url}{_PATH}" + (f"?{urlencode({'until': format_time(until)})}" if until else "")


class StatusPageLink(BaseOperatorLink):
    """Leads from the task `report` to the status page with the hours of its run."""

    name = "Replication status"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:  # noqa: ARG002 - Airflow passes it
        return getattr(operator, "status_url", "") or status_page_url()
