"""The task that adds an asset event for each window that its run closed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from job_history_airflow.announce.windows import WINDOWS, closed_windows
from job_history_airflow.factories.storage import storage_at
from job_history_airflow.operators.quiet_errors import without_traceback
from job_history_airflow.operators.run_places import run_of
from job_history_airflow.settings import read_settings

if TYPE_CHECKING:
    from airflow.sdk import Context


class AnnounceWindowsOperator(BaseOperator):
    """Adds events to the asset `job_history_windows`. It runs after `report`, also if that failed."""

    ui_color = "#efe6f7"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(outlets=[WINDOWS], **kwargs)

    def execute(self, context: Context) -> int:
        with without_traceback(self.log):
            keys = closed_windows(run_of(context), storage_at(read_settings().staging_path))
        if not keys:
            from airflow.sdk.exceptions import AirflowSkipException

            raise AirflowSkipException("This run closed no window.")
        context["outlet_events"][WINDOWS].add_partitions(keys)
        return len(keys)
