"""The DAG job_history_replication, for Airflow's DAGs folder."""

from job_history_airflow.dags import replication_dag

dag = replication_dag()
