"""Clients of Sumo Logic that others wrote, each run in an environment of its own below `.state/`, made once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from tests.support import client_environments
from tests.support.client_environments import made_once, run_installer

HERE = Path(__file__).parent
CLIENT_SECONDS = 30


def python_environment() -> Path:
    """The interpreter that has the Python clients; raises RuntimeError with the installer's own words."""
    return client_environments.python_environment(HERE / "requirements.txt")


def node_modules() -> Path:
    """The folder that has the npm clients; raises RuntimeError with npm's own words."""
    files = [HERE / "package.json", HERE / "package-lock.json"]

    def install(folder: Path) -> None:
        folder.mkdir()
        for file in files:
            shutil.copy(file, folder)
        run_installer(
            "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(folder)
        )

    return made_once(HERE.name, "npm", files, install) / "node_modules"


def send(command: list[str], *arguments: str, documents: list[Any], **environment: str) -> dict[str, Any]:
    """Run a client on documents, and give what it says about the outcome."""
    done = subprocess.run(
        [*command, *arguments],
        input=json.dumps(documents),
        capture_output=True,
        text=True,
        timeout=CLIENT_SECONDS,
        check=False,
        env=os.environ | environment,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
