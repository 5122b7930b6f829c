"""OpenLineage events of a run, as the provider writes them to a file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.samples import account

from job_history.model.event_kind import EventKind
from simulators.project import ROOT

from .conftest import World

RUN = """
from tests.dags.conftest import run_dag
print(run_dag("job_history_replication")[0])
"""


@pytest.mark.promise("openlineage")
def test_lineage_of_a_load_has_relation_bucket_rows_and_bytes_and_no_secret(world: World, tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    world.accounts(world.account(5236, "Initech"))
    transport = {"type": "file", "log_file_path": str(events), "append": True}

    subprocess.run(
        [sys.executable, "-c", RUN],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
            "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(transport),
            "AIRFLOW__OPENLINEAGE__NAMESPACE": "tests",
        },
        check=True,
        capture_output=True,
        timeout=200,
    )

    text = events.read_text()
    (load,) = [
        event
        for event in map(json.loads, text.splitlines())
        if event["eventType"] == "COMPLETE" and event["job"]["name"].endswith("shared.load")
    ]
    receipt = world.receipts()[5236, "2018-05-21T00:00:00Z"]
    (source,), (target,) = load["inputs"], load["outputs"]
    assert source["name"].endswith("/job_history_jobs")
    assert source["inputFacets"]["inputStatistics"]["rowCount"] == receipt["counts"]["listed"]
    assert (target["namespace"], target["name"]) == (f"s3://{world.bucket}", "5236/jobs")
    statistics = target["outputFacets"]["outputStatistics"]
    assert (statistics["rowCount"], statistics["size"]) == (
        receipt["counts"]["delivered"],
        receipt["counts"]["delivered_bytes"],
    )
    secret = json.loads(world.s3.airflow_connection())["password"]
    assert secret not in text


@pytest.mark.promise("openlineage")
@pytest.mark.parametrize(
    ("kind", "own", "namespace"),
    [
        ("s3", {"bucket": "acme-audit"}, "s3://acme-audit"),
        ("google_storage", {"bucket": "acme-audit"}, "gs://acme-audit"),
        ("azure_blob", {"container": "acme-audit"}, "wasbs://acme-audit@acme.blob.core.windows.net"),
    ],
)
def test_lineage_of_each_object_store_names_bucket_and_prefix(kind: str, own: dict[str, str], namespace: str) -> None:
    from job_history_airflow.announce.lineage import _target

    one = account(destination={"type": kind, "conn_id": "store", "prefix": "logs", **own})
    described = {"type": kind, "bucket": "acme-audit", "host": "acme.blob.core.windows.net"}

    assert _target(one, EventKind.JOBS, described) == (namespace, f"logs/{one.user_id}/jobs")
