"""Where the project's own folders are, for the demo and the tests, which run it from its checkout."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "plugins"
DAGS = PLUGINS / "job_history_airflow" / "dag_files"
STATE = ROOT / ".state"
