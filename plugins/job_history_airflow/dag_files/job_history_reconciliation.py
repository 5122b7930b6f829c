"""The DAG job_history_reconciliation, for Airflow's DAGs folder."""

from job_history_airflow.dags import reconciliation_dag

dag = reconciliation_dag()
