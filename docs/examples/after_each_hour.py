"""An example: this DAG runs once for each hour of an account that is complete at its destination.

Set `[job_history] asset_events` to the accounts' user_ids, or to `all`, and copy this file to your DAGs.
"""

from __future__ import annotations

import logging
from typing import Any

from airflow.sdk import Asset, PartitionedAssetTimetable, dag, task

log = logging.getLogger(__name__)


@dag(schedule=PartitionedAssetTimetable(assets=Asset("job_history_windows")), catchup=False)
def after_each_hour() -> None:
    @task
    def use_the_hour(**context: Any) -> dict[str, str]:
        """Do what needs the whole hour. The key is `5234/jobs/2018-05-21T00`."""
        user_id, kind, hour = context["dag_run"].partition_key.split("/")
        log.info("The %s of account %s that ended from %s:00Z on are complete.", kind, user_id, hour)
        return {"user_id": user_id, "kind": kind, "hour": hour}

    use_the_hour()


after_each_hour()
