"""The log of `report` after a run with failures, as an on-call person reads it."""

from __future__ import annotations

import logging

import pytest

from .conftest import World, run_dag


@pytest.mark.promise("report-log-short")
def test_log_of_report_names_account_cause_and_fix_without_a_traceback(
    world: World, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO, "job_history")
    world.accounts(
        world.account(9001, "Wrong database", source={"type": "sql", "conn_id": "nowhere"}),
        world.account(5236, "Initech"),
    )

    state, tasks = run_dag("job_history_replication")

    assert (state, tasks["report", -1]) == ("failed", "failed")
    logged = capfd.readouterr().out
    assert "Traceback" not in logged
    # The report opens buckets to copy seals; their hooks would log before what failed.
    assert "credentials retrieved" not in logged
    log = "\n".join(record.getMessage() for record in caplog.records)
    after_report = log[log.index("FAILED 9001 Wrong database 00:00") :]
    assert after_report.index("There is no Airflow connection") < after_report.index("Create it (Admin")
    # One line for each chain: it comes after what failed.
    assert "Heads of the seals" in after_report
    assert "Heads of the seals" not in log[: log.index("FAILED 9001")]
    rows = [" ".join(line.split()) for line in after_report.splitlines()]
    assert any(row.startswith("state account window counted delivered ") for row in rows)
    assert any(row.startswith("complete 5236 Initech 00:00 ") for row in rows)
    assert "/plugin/job-history-status/job-history/status?until=2018-05-21T01%3A00%3A00Z" in after_report


@pytest.mark.promise("report-log-short")
def test_report_has_a_button_that_leads_to_the_status_of_its_hours(world: World) -> None:
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import select

    world.accounts(world.account(5237, "Umbrella"))
    assert run_dag("job_history_replication")[0] == "success"

    with create_session() as session:
        links = session.scalars(select(XComModel.value).where(XComModel.key == "_link_StatusPageLink")).all()
    assert "status?until=2018-05-21T01%3A00%3A00Z" in str(links[-1])
