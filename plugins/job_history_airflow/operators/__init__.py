"""The steps of a run as Airflow tasks: wait until settled, then plan, extract, transform, load, report."""

from job_history_airflow.operators.announce_windows import AnnounceWindowsOperator
from job_history_airflow.operators.extract import ExtractOperator
from job_history_airflow.operators.load_to_s3 import LoadToS3Operator
from job_history_airflow.operators.load_to_sumo_logic import LoadToSumoLogicOperator
from job_history_airflow.operators.plan import PlanOperator
from job_history_airflow.operators.reconcile import ReconcileOperator
from job_history_airflow.operators.report import ReportOperator
from job_history_airflow.operators.transform import TransformOperator
from job_history_airflow.operators.wait_until_settled import WaitUntilSettledOperator

# The names of release 0.1; they are removed after the next release.
ExtractJobsOperator = ExtractOperator
TransformJobsOperator = TransformOperator
JobHistoryToS3Operator = LoadToS3Operator
JobHistoryToSumoLogicOperator = LoadToSumoLogicOperator

__all__ = [
    "AnnounceWindowsOperator",
    "ExtractOperator",
    "LoadToS3Operator",
    "LoadToSumoLogicOperator",
    "PlanOperator",
    "ReconcileOperator",
    "ReportOperator",
    "TransformOperator",
    "WaitUntilSettledOperator",
]
