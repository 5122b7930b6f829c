"""A complete local Airflow in the background: API server with UI, scheduler, DAG processor and triggerer.

`make up` and the end-to-end tests run the project on it. It is the real Airflow; only the size is small.
"""

from .api import AirflowApi
from .api_session import AirflowApiError
from .models import Backfill, DagRun, TaskInstance
from .stack import AirflowStack, airflow_stack

__all__ = [
    "AirflowApi",
    "AirflowApiError",
    "AirflowStack",
    "Backfill",
    "DagRun",
    "TaskInstance",
    "airflow_stack",
]
