"""Runs the hour twice and the reconciliation once, in this process: `dag.test()`, Airflow's own way to do so.

It logs to standard output; the exit code is 0 if all runs succeeded.
"""

import sys
from datetime import datetime

from airflow.dag_processing.dagbag import DagBag

from job_history.model.timestamp import format_time
from job_history_airflow.dag_ids import RECONCILIATION_DAG, REPLICATION_DAG
from simulators.project import DAGS


def main(window_start: str, window_end: str) -> int:
    """Run the hour between these moments (ISO 8601), and return 0 where each run ended well."""
    start, end = datetime.fromisoformat(window_start), datetime.fromisoformat(window_end)
    of_the_hour = {"window_start": format_time(start), "window_end": format_time(end)}
    states = []
    for dag_id, conf in ((REPLICATION_DAG, None), (REPLICATION_DAG, None), (RECONCILIATION_DAG, of_the_hour)):
        # A fresh DAG each time: test() leaves the run's parameters in it.
        run = DagBag(DAGS).dags[dag_id].test(logical_date=end, run_conf=conf)
        states.append(str(run.state))
    return 0 if set(states) == {"success"} else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
