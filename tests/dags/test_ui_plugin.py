"""The plugin, which every process of Airflow imports."""

from __future__ import annotations

import logging
import subprocess
import sys

import pytest

from job_history_airflow.ui_plugin import JobHistoryPlugin


@pytest.mark.promise("ui-plugin-cost")
def test_a_process_that_runs_tasks_imports_nothing_more_for_it() -> None:
    """Every import is paid for by each task; `airflow.sdk` is there already."""
    reported = subprocess.run(
        [
            sys.executable,
            "-c",
            "import airflow.sdk, sys; before = {*sys.modules}; import job_history_airflow.ui_plugin;"
            "print(*sorted({*sys.modules} - before))",
        ],
        check=True,
        capture_output=True,
        text=True,
    )

    assert reported.stdout.split() == ["job_history_airflow.ui_plugin"]


def test_airflow_finds_the_plugin_with_both_pages_and_nothing_else_of_the_package(airflow_home: object) -> None:
    from airflow.plugins_manager import _get_plugins, get_fastapi_plugins

    plugins, faults = _get_plugins()
    (ours,) = [plugin for plugin in plugins if plugin.name == "job_history"]

    assert faults == {}
    assert {view["name"]: (view["category"], view["href"]) for view in ours.external_views} == {
        "Audit log replication": ("admin", "job-history/setup"),
        "Replication status": ("browse", "job-history/status"),
    }
    assert [app["url_prefix"] for app in get_fastapi_plugins()[0]] == ["/job-history"]


@pytest.mark.promise("ui-plugin-cost")
def test_a_missing_package_costs_the_pages_and_not_the_api_server(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "job_history_airflow.ui.app", None)
    with caplog.at_level(logging.ERROR):
        assert JobHistoryPlugin().fastapi_apps == []

    assert "The pages of the job history replication cannot be shown" in caplog.text
