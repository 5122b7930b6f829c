"""The environment in which the demo's Airflow runs: connections, accounts and paths, all below one folder."""

import json
import os
from pathlib import Path

from simulators.demo.accounts import WORKATO_USER_ID, demo_accounts, workato_connection
from simulators.demo.proof import CONNECTION, signing_connection
from simulators.project import DAGS, PLUGINS
from simulators.s3_endpoint import S3Endpoint
from simulators.sumo_logic import SourceProcess
from simulators.workato import WorkatoProcess


def demo_environment(
    home: Path, job_store: Path, *, s3: S3Endpoint, sumo_logic: SourceProcess, workato: WorkatoProcess
) -> dict[str, str]:
    """Ours without its Airflow variables, plus all that the hourly DAG needs. Holds the local parts' secrets."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return {
        **inherited,
        "AIRFLOW_HOME": str(home / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PLUGINS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__JOB_HISTORY__LEDGER_PATH": str(home / "ledger"),
        "AIRFLOW__JOB_HISTORY__STAGING_PATH": str(home / "staging"),
        "AIRFLOW__JOB_HISTORY__SIGNING_CONN_ID": CONNECTION,
        f"AIRFLOW_CONN_{CONNECTION.upper()}": signing_connection(home / "delivered"),
        "AIRFLOW_CONN_JOB_STORE": json.dumps({"conn_type": "sqlite", "host": str(job_store)}),
        "AIRFLOW_CONN_LOCAL_S3": s3.airflow_connection(),
        "AIRFLOW_CONN_LOCAL_SUMO_LOGIC": json.dumps({"conn_type": "sumo_logic", "password": sumo_logic.url}),
        "AIRFLOW_CONN_LOCAL_WORKATO": json.dumps(workato_connection(workato.url, workato.tokens[WORKATO_USER_ID])),
        "AIRFLOW_VAR_JOB_HISTORY_ACCOUNTS": json.dumps(demo_accounts()),
    }
