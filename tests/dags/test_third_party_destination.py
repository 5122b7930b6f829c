"""A kind of destination that another package adds: set up on the page, preflighted, replicated, diffed.

The package is installed beside the environment for one test, which runs the others in a process that finds it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.support.client_environments import UV

from simulators.project import ROOT

from .conftest import World
from .test_replication_run import FINISHED, of_run, run
from .ui import Pages, inputs

installed = pytest.mark.skipif(
    find_spec("acme_folder") is None, reason="run by test_a_package_of_others_adds_kinds_of_destination"
)


@pytest.mark.timeout(600)
@pytest.mark.skipif(find_spec("acme_folder") is not None, reason="in the inner run")
@pytest.mark.promise("third-party-kind")
def test_a_package_of_others_adds_kinds_of_destination(airflow_home: Path, tmp_path: Path) -> None:
    package, beside = tmp_path / "package", tmp_path / "site"
    package.mkdir()
    for name, text in files_of_the_page().items():
        (package / name).write_text(text)
    install = ["pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--python", sys.executable]
    subprocess.run([UV, *install, "--target", str(beside), str(package)], check=True)

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, str(package / "test_acme.py")],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(beside)},
    )

    assert "21 passed, 1 skipped" in done.stdout, done.stdout[-4000:]


def files_of_the_page() -> dict[str, str]:
    """Return the files of the page's example; each begins with its name as a comment."""
    page = (ROOT / "docs" / "add-a-destination.md").read_text()
    found = dict(re.findall(r"```(?:toml|python)\n# (\S+)\n(.*?)```", page, re.DOTALL))
    assert found.keys() == {"pyproject.toml", "acme_folder.py", "acme_lines.py", "test_acme.py"}
    return found


@installed
def test_its_form_on_the_page_is_generated_and_saved(pages: Pages, tmp_path: Path) -> None:
    pages.connect("folders", "fs", extra=json.dumps({"path": str(tmp_path)}))
    editor = pages.as_user("ona")
    form = editor.form("/setup/accounts/new")
    given = {"user_id": "5234", "name": "Acme", "destination.type": "folder", "source.sql.conn_id": "job_store"}
    its = {"destination.folder.conn_id": "folders", "destination.folder.name": "audit"}
    assert its.keys() <= inputs(editor.get("/setup/accounts/new").text).keys()

    assert editor.post("/setup/accounts/new", form | given | its).status_code == 303

    (entry,) = pages.accounts or []
    assert entry["destination"] == {"type": "folder", "conn_id": "folders", "name": "audit"}
    shown = editor.get("/setup")
    assert shown.status_code == 200, shown.text
    assert "via folders" in shown.text


@installed
@pytest.mark.promise("third-party-kind")
def test_its_accounts_are_replicated_and_compared(world: World, tmp_path: Path) -> None:
    world.connect("folders", {"conn_type": "fs", "extra": {"path": str(tmp_path / "folders")}})
    destination = {"type": "folder", "conn_id": "folders", "name": "audit"}
    world.accounts(world.account(5234, "Acme", destination=destination), world.account(5236, "Initech"))

    assert run()[0] == "success"

    receipts = world.receipts()
    assert {user_id: of_run(receipts[user_id, "2018-05-21T00:00:00Z"]) for user_id in (5234, 5236)} == {
        5234: ("complete", FINISHED[5234], 0),
        5236: ("complete", FINISHED[5236], 0),
    }
    folder = tmp_path / "folders" / "audit"
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.json")}
    assert len(files) == FINISHED[5234]
    assert diff() == {"same": FINISHED[5234], "missing": 0, "altered": 0}
    altered, missing = sorted(files)[:2]
    files[altered].write_text("{}\n")
    files[missing].unlink()
    assert diff() == {"same": FINISHED[5234] - 2, "missing": 1, "altered": 1}


@installed
@pytest.mark.promise("third-party-errors")
def test_its_errors_cost_its_own_accounts_and_name_its_package(world: World) -> None:
    """The connection has no path, so that its code raises KeyError."""
    world.connect("folders", {"conn_type": "fs"})
    destination = {"type": "folder", "conn_id": "folders", "name": "audit"}
    world.accounts(world.account(5234, "Acme", destination=destination), world.account(5236, "Initech"))

    assert run()[0] == "failed"

    receipts = world.receipts()
    assert receipts[5236, "2018-05-21T00:00:00Z"]["state"] == "complete"
    assert "acme-destinations 1.0" in json.dumps(receipts[5234, "2018-05-21T00:00:00Z"]["faults"])


@installed
@pytest.mark.promise("third-party-kind")
def test_its_messages_are_sent_once(world: World, tmp_path: Path) -> None:
    path = tmp_path / "lines"
    world.connect("lines", {"conn_type": "fs", "extra": {"path": str(path)}})
    world.accounts(world.account(5235, "Globex", destination={"type": "lines", "conn_id": "lines"}))

    assert [run()[0], run()[0], run(mode="missing_only")[0]] == ["success"] * 3

    assert of_run(world.receipts()[5235, "2018-05-21T00:00:00Z"]) == ("complete", FINISHED[5235], 0)
    keys = [json.loads(line)["delivery_id"] for line in path.read_text().split("\n")[1:]]
    assert len(set(keys)) == len(keys) == FINISHED[5235]


def diff() -> dict[str, int]:
    window = ["--since", "2018-05-21T00:00:00Z", "--until", "2018-05-21T01:00:00Z"]
    command = [str(Path(sys.executable).with_name("job-history")), "diff", "--json", *window]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    (found,) = [each for each in json.loads(done.stdout)["windows"] if each["user_id"] == 5234]
    return {name: found[name] for name in ("same", "missing", "altered")}
