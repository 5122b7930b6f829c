"""The steps of a run as Airflow tasks, in the order in which they run: plan, extract, transform, load, report."""

from job_history_airflow.operators.extract import ExtractJobsOperator
from job_history_airflow.operators.load import JobHistoryToS3Operator
from job_history_airflow.operators.plan import PlanOperator
from job_history_airflow.operators.report import ReportOperator
from job_history_airflow.operators.transform import TransformJobsOperator

__all__ = [
    "ExtractJobsOperator",
    "JobHistoryToS3Operator",
    "PlanOperator",
    "ReportOperator",
    "TransformJobsOperator",
]
