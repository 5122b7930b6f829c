"""The steps of a run as Airflow tasks: wait until settled, then plan, extract, transform, load, report."""

from job_history_airflow.operators.extract import ExtractJobsOperator
from job_history_airflow.operators.load_to_s3 import JobHistoryToS3Operator
from job_history_airflow.operators.load_to_sumo_logic import JobHistoryToSumoLogicOperator
from job_history_airflow.operators.plan import PlanOperator
from job_history_airflow.operators.reconcile import ReconcileOperator
from job_history_airflow.operators.report import ReportOperator
from job_history_airflow.operators.transform import TransformJobsOperator
from job_history_airflow.operators.wait_until_settled import WaitUntilSettledOperator

__all__ = [
    "ExtractJobsOperator",
    "JobHistoryToS3Operator",
    "JobHistoryToSumoLogicOperator",
    "PlanOperator",
    "ReconcileOperator",
    "ReportOperator",
    "TransformJobsOperator",
    "WaitUntilSettledOperator",
]
