"""Documentation that cannot rot: what it names is there, and what is there is named."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from job_history.accounts.json_schema import accounts_json_schema
from job_history.accounts.variable import read_accounts
from job_history_airflow.dag_ids import RECONCILIATION_DAG, REPLICATION_DAG
from simulators.project import DAGS, ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = (ROOT / "README.md").read_text()


def rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the tables of a page that begin with this heading."""
    found: list[list[str]] = []
    lines = iter((ROOT / page).read_text().splitlines())
    for line in lines:
        if line.strip().startswith(f"| {heading} |"):
            next(lines)
            for row in lines:
                if not row.strip().startswith("|"):
                    break
                found.append([cell.strip() for cell in row.strip().strip("|").split(" | ")])
    assert found, f"{page} has no table that begins with {heading!r}"
    return found


def names(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())

    assert [target for target in targets if "://" not in target and not (page.parent / target).exists()] == []


def test_every_make_command_that_is_named_is_a_target() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        command for page in PAGES for command in re.findall(r"(?:`|^)make ([a-z]+)", page.read_text(), re.MULTILINE)
    }

    assert named - targets == set()
    assert {"demo", "up", "test", "check", "bench"} <= named


def test_the_readme_names_each_parameter_of_the_dag() -> None:
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(DAGS)
    described = [name for row in rows("README.md", "parameter") for name in names(row[0])]

    assert sorted(described) == sorted(bag.dags["job_history_replication"].params)
    assert [dag_id for dag_id in bag.dags if f"`{dag_id}`" not in README] == []


def test_first_unpause_replicates_the_last_full_hour_as_the_readme_states(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.dag_processing.dagbag import DagBag
    from airflow.serialization.encoders import coerce_to_core_timetable
    from airflow.timetables import interval
    from airflow.timetables.base import TimeRestriction

    hourly = DagBag(DAGS).dags[REPLICATION_DAG]
    monkeypatch.setattr(interval, "utcnow", lambda: datetime(2026, 11, 29, 10, 20, tzinfo=UTC))
    restriction = TimeRestriction(earliest=hourly.start_date, latest=None, catchup=hourly.catchup)

    first = coerce_to_core_timetable(hourly.timetable).next_dagrun_info(
        last_automated_data_interval=None, restriction=restriction
    )

    assert (first.data_interval.start, first.data_interval.end, first.run_after) == (
        datetime(2026, 11, 29, 9, tzinfo=UTC),
        datetime(2026, 11, 29, 10, tzinfo=UTC),
        datetime(2026, 11, 29, 10, tzinfo=UTC),
    )
    assert "unpaused at 10:20, it replicates the jobs\nthat completed from 09:00 to 10:00" in README


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_dag_and_command_that_a_page_names_exists(page: Path) -> None:
    from job_history_airflow.cli import main

    text = page.read_text()

    assert set(re.findall(r"`(job_history_re[a-z_]+)`", text)) <= {REPLICATION_DAG, RECONCILIATION_DAG}
    assert set(re.findall(r"`job-history ([a-z][a-z-]+)", text)) <= set(main.commands)


def test_the_configuration_page_has_each_option_with_its_default() -> None:
    from job_history_airflow.provider_info import get_provider_info

    options = get_provider_info()["config"]["job_history"]["options"]
    described = {names(row[0])[0]: (names(row[1]) or [None])[0] for row in rows("docs/configuration.md", "option")}

    assert described == {name: option["default"] for name, option in options.items()}


def test_the_configuration_page_has_each_connection_type_of_ours() -> None:
    from job_history_airflow.provider_info import get_provider_info

    ours = {connection["connection-type"] for connection in get_provider_info().get("connection-types", [])}
    described = {name for row in rows("docs/configuration.md", "type") for name in names(row[0])}

    assert ours - described == set()


@pytest.mark.parametrize("page", ["README.md", "docs/accounts.md"])
def test_the_accounts_of_the_docs_can_be_used_as_they_stand(page: str) -> None:
    blocks = re.findall(r"```json\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    [example] = [block for block in blocks if '"conn_id"' in block][:1]
    accounts = read_accounts(example)

    assert accounts.messages == []
    assert accounts.usable


def test_the_accounts_page_has_each_key() -> None:
    described = {name for row in rows("docs/accounts.md", "key") for name in names(row[0])}

    assert described == set(accounts_json_schema()["$defs"]["Account"]["properties"])


def test_the_json_schema_is_what_the_code_makes() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "job_history.accounts.json_schema"], check=True, capture_output=True, text=True
    )

    assert (ROOT / "docs" / "accounts.schema.json").read_text() == made.stdout, (
        "write it again: .venv/bin/python -m job_history.accounts.json_schema > docs/accounts.schema.json"
    )
    assert json.loads(made.stdout) == accounts_json_schema()


def code_of_ours() -> str:
    folders = (ROOT / "include" / "job_history", ROOT / "plugins")
    return "\n".join(path.read_text() for folder in folders for path in sorted(folder.rglob("*.py")))


def test_each_message_of_the_operations_page_is_in_the_code() -> None:
    """The messages are the code spans of bold list items, word for word; `...` is what differs."""
    # A message that is written over several lines is one message.
    source = re.sub(r'"\s*\n\s*f?"', "", code_of_ours())
    items = re.findall(r"^- \*\*(`.*?)\*\*", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE)
    pieces = [
        piece for item in items for message in names(item) for piece in re.split(r"\s*\.\.\.\s*", message) if piece
    ]

    assert len(pieces) > 30
    assert [piece for piece in pieces if piece not in source] == []


def test_operations_page_has_the_headings_that_messages_link_to() -> None:
    page = (ROOT / "docs" / "operations.md").read_text()
    anchors = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", page, re.MULTILINE)}

    assert {"settings", "source", "destination", "quarantine", "reconciliation", "pages", "workers"} <= anchors
    assert set(re.findall(r"operations\.md#([\w-]+)", code_of_ours())) - anchors == set()


def test_messages_page_is_current() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "job_history.errors.catalogue"], check=True, capture_output=True, text=True
    ).stdout

    assert (ROOT / "docs" / "messages.md").read_text() == made, (
        "run: .venv/bin/python -m job_history.errors.catalogue > docs/messages.md"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_module_that_a_page_runs_exists(page: Path) -> None:
    modules = re.findall(r"python -m ((?:job_history|simulators|tests)[\w.]*)", page.read_text())
    roots = [ROOT, ROOT / "include"]
    files = {module: [root / module.replace(".", "/") for root in roots] for module in modules}

    assert [
        module
        for module, paths in files.items()
        if not any(path.is_dir() or path.with_suffix(".py").exists() for path in paths)
    ] == []


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_each_path_that_a_map_names_exists(page: str) -> None:
    """Paths are code spans and words of pictures that end with `/` or a file type, from one of the roots."""
    roots = [ROOT, ROOT / "include" / "job_history", ROOT / "plugins" / "job_history_airflow", ROOT / "plugins"]
    paths = set(
        re.findall(
            r"(?<![\w<./-])([\w.-]+(?:/[\w.-]+)*(?:/|\.(?:py|md|toml|json|lock)))(?![\w/])", (ROOT / page).read_text()
        )
    )

    assert len(paths) > 10
    assert [path for path in sorted(paths) if not any((root / path).exists() for root in roots)] == []


def test_decisions_are_numbered_dated_and_have_a_status() -> None:
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    heads = [
        re.match(r"# (\d+)\. .+\n\nDate: \d{4}-\d\d-\d\d.*\nStatus: \w+", record.read_text()) for record in records
    ]

    assert [int(head[1]) for head in heads if head] == list(range(1, len(records) + 1))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))


def test_the_page_of_commands_has_each_command_and_each_letter() -> None:
    from job_history_airflow.cli import main
    from job_history_airflow.cli.status import LETTERS

    described = {names(row[0])[0].split()[1] for row in rows("docs/cli.md", "command")}
    letters = {names(row[1])[0]: names(row[0])[0] for row in rows("docs/cli.md", "letter")}

    assert described == set(main.commands)
    assert letters == LETTERS


def test_each_option_that_the_page_of_commands_names_is_one() -> None:
    from job_history_airflow.cli import main
    from job_history_airflow.cli.accounts import accounts

    page = (ROOT / "docs" / "cli.md").read_text()
    commands = [*main.commands.values(), *accounts.commands.values()]
    options = {option for command in commands for each in command.params for option in each.opts}
    options |= {"--help"}

    assert set(re.findall(r"--[a-z][a-z-]*", page)) - options == set()
