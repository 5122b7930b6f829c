"""The project's pages in the Airflow UI: set-up and status of the replication.

Airflow finds it by the entry point `airflow.plugins` of this distribution. Every process of Airflow imports this file,
tasks too, but only the API server asks for the app, so the app is made then.
"""

from __future__ import annotations

import logging
from functools import cached_property
from typing import Any

from airflow.sdk.plugins_manager import AirflowPlugin

log = logging.getLogger(__name__)

URL_PREFIX = "/job-history"


class JobHistoryPlugin(AirflowPlugin):
    """Two pages in the navigation, and the app that serves them."""

    name = "job_history"
    # Without a leading slash, so that the UI finds them if Airflow is served below a path.
    external_views = [  # noqa: RUF012 - as it is in the class below
        {
            "name": "Audit log replication",
            "href": f"{URL_PREFIX[1:]}/setup",
            "destination": "nav",
            "category": "admin",
            "url_route": "job-history-setup",
        },
        {
            "name": "Replication status",
            "href": f"{URL_PREFIX[1:]}/status",
            "destination": "nav",
            "category": "browse",
            "url_route": "job-history-status",
        },
    ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        try:
            from job_history_airflow.ui.app import build_app
        except ImportError:
            # Raised, it would keep the API server from starting, and all its pages with ours.
            log.exception(
                "The pages of the job history replication cannot be shown. Install the project where the API server "
                "runs, with all that it requires; `pip check` names what is missing."
            )
            return []
        return [{"app": build_app(), "url_prefix": URL_PREFIX, "name": "Job history replication"}]
