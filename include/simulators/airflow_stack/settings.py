"""The settings of the local Airflow: everything on 127.0.0.1, no password, changes noticed soon."""

import base64
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

_HOST = "127.0.0.1"

_SETTINGS = {
    "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    "AIRFLOW__CORE__HOSTNAME_CALLABLE": "socket.gethostname",  # the default one asks the name server
    "AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "1",
    "AIRFLOW__DATABASE__CHECK_MIGRATIONS": "False",  # the stack migrates by itself, while the API server is loading
    "AIRFLOW__API__HOST": _HOST,
    "AIRFLOW__API__WORKERS": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
    # A task's end is often noticed only when its next heartbeat is due, and holds a slot until then.
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "2",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "15",  # a changed file is parsed at once all the same
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "AIRFLOW__DAG_PROCESSOR__PRINT_STATS_INTERVAL": "0",
    "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "False",
    "NO_COLOR": "1",
}


def stack_environment(
    *,
    home: Path,
    dags_folder: Path,
    plugins_folder: Path,
    database_uri: str,
    port: int,
    unused_port: int,
    parallelism: int,
    environment: Mapping[str, str],
) -> dict[str, str]:
    """The environment of every Airflow process: ours without its Airflow variables, the settings, then `environment`.

    `unused_port` is written down as the port of the servers for the logs of running tasks, which are not started.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return {
        **inherited,
        **_SETTINGS,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags_folder),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins_folder),
        "AIRFLOW__CORE__PARALLELISM": str(parallelism),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://{_HOST}:{port}/execution/",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": _with_driver(database_uri),
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://{_HOST}:{port}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(unused_port),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(unused_port),
        "NO_PROXY": ",".join(filter(None, [os.environ.get("NO_PROXY"), _HOST, "localhost"])),
        **environment,
    }


def write_secrets(home: Path) -> None:
    """Make `home` and, in its airflow.cfg, the keys that all processes share and that the next start needs again."""
    home.mkdir(parents=True, exist_ok=True)
    config = home / "airflow.cfg"
    if config.exists():
        return
    config.touch(mode=0o600)
    fernet_key = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()
    config.write_text(
        f"[core]\nfernet_key = {fernet_key}\n\n"
        f"[api]\nsecret_key = {secrets.token_urlsafe(48)}\n\n"
        f"[api_auth]\njwt_secret = {secrets.token_urlsafe(64)}\n"
    )


def _with_driver(database_uri: str) -> str:
    return database_uri.replace("postgresql://", "postgresql+psycopg2://", 1)
