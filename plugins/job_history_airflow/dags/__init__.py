"""The project's DAGs. A file in Airflow's DAGs folder, or `DagFiles` as a DAG bundle, makes them known to Airflow."""

from job_history_airflow.dags.reconciliation import reconciliation_dag
from job_history_airflow.dags.replication import replication_dag

__all__ = ["reconciliation_dag", "replication_dag"]
