"""The steps of a run as Airflow tasks: wait until settled, then plan, extract, transform, load, close, report."""

from job_history_airflow.operators.announce_windows import AnnounceWindowsOperator
from job_history_airflow.operators.close import CloseOperator
from job_history_airflow.operators.compare import CompareOperator
from job_history_airflow.operators.convoy import ConvoyOperator
from job_history_airflow.operators.extract import ExtractOperator
from job_history_airflow.operators.load import LoadOperator
from job_history_airflow.operators.look_back import LookBackOperator
from job_history_airflow.operators.plan import PlanOperator
from job_history_airflow.operators.reconcile import ReconcileOperator
from job_history_airflow.operators.report import ReportOperator
from job_history_airflow.operators.transform import TransformOperator
from job_history_airflow.operators.wait_until_settled import WaitUntilSettledOperator

# The names of release 0.1; they are removed after the next release.
ExtractJobsOperator = ExtractOperator
TransformJobsOperator = TransformOperator
JobHistoryToS3Operator = LoadOperator
JobHistoryToSumoLogicOperator = LoadOperator

__all__ = [
    "AnnounceWindowsOperator",
    "CloseOperator",
    "CompareOperator",
    "ConvoyOperator",
    "ExtractOperator",
    "LoadOperator",
    "LookBackOperator",
    "PlanOperator",
    "ReconcileOperator",
    "ReportOperator",
    "TransformOperator",
    "WaitUntilSettledOperator",
]
