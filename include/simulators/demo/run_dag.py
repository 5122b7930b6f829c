"""Runs the hourly DAG for one hour, as often as it is told, in this process: `dag.test()`, Airflow's own way to do so.

What it logs goes to standard output; the exit code tells whether all runs succeeded.
"""

import sys
from datetime import datetime

from airflow.dag_processing.dagbag import DagBag

from simulators.project import DAGS


def main(window_end: str, times: int) -> int:
    """Run the hour that ends at `window_end` (ISO 8601), and return 0 where each run ended well."""
    states = []
    for _ in range(times):
        # A fresh DAG each time: test() leaves the run's parameters in it.
        dag = DagBag(DAGS).dags["job_history_replication"]
        run = dag.test(logical_date=datetime.fromisoformat(window_end))
        states.append(str(run.state))
    return 0 if set(states) == {"success"} else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
