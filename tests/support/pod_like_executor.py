"""An executor that runs each workload as a pod of Kubernetes does: a new process, and a new AIRFLOW_HOME that is
deleted afterwards.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from airflow.executors.base_executor import BaseExecutor

PODS = "POD_HOMES"
"""The environment variable with the folder for homes and for the list of what was found in them."""


class PodLikeExecutor(BaseExecutor):
    """Runs the command that the Kubernetes executor gives to a pod."""

    def start(self) -> None:
        self._folder = Path(os.environ[PODS])
        self._pods: dict[Any, tuple[subprocess.Popen[bytes], Path]] = {}

    def _process_workloads(self, workload_items: Sequence[Any]) -> None:
        for workload in workload_items:
            self.queued_tasks.pop(workload.key, None)
            home = Path(tempfile.mkdtemp(prefix="pod-", dir=self._folder))
            module = "airflow.sdk.execution_time.execute_workload"
            pod = subprocess.Popen(
                [sys.executable, "-P", "-m", module, "--json-string", workload.model_dump_json()],
                env=os.environ | {"AIRFLOW_HOME": str(home)},
                cwd=home,
                stdout=subprocess.DEVNULL,
                stderr=(self._folder / "pods.log").open("ab"),
            )
            self._pods[workload.key] = (pod, home)
            self.running.add(workload.key)

    def sync(self) -> None:
        for key, (pod, home) in list(self._pods.items()):
            if pod.poll() is None:
                continue
            del self._pods[key]
            with (self._folder / "left.jsonl").open("a") as notes:
                notes.write(
                    json.dumps({"task": key.task_id, "left": sorted(path.name for path in home.iterdir())}) + "\n"
                )
            shutil.rmtree(home)
            (self.success if pod.returncode == 0 else self.fail)(key)

    def end(self) -> None:
        for pod, _ in self._pods.values():
            pod.wait()

    def terminate(self) -> None:
        for pod, _ in self._pods.values():
            pod.kill()
