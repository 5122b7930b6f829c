"""Clients of Sumo Logic that others wrote, run in environments of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.support import client_environments
from tests.support.client_environments import AS_OF, make_once, run_installer
from tests.support.debian_packages import have_programs

HERE = Path(__file__).parent
CLIENT_SECONDS = 30


def python_environment() -> Path:
    """Return the interpreter that has the Python clients. Raises PackagesUnavailable."""
    return client_environments.python_environment(HERE / "requirements.txt")


def node_modules() -> Path:
    """Return the folder that has the npm clients. Raises PackagesUnavailable."""
    requirements = HERE / "package.json"

    def install(folder: Path) -> None:
        folder.mkdir()
        shutil.copy(requirements, folder)
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", f"--before={AS_OF}"]
        run_installer("npm", "install", *options, "--prefix", str(folder))

    with tempfile.TemporaryDirectory() as logs:
        have_programs("Node.js", ["node", "npm"], ["nodejs", "npm"], log_path=Path(logs) / "apt-get.log")
    return make_once(HERE.name, "npm", requirements, install) / "node_modules"


def send(command: list[str], *arguments: str, documents: list[Any], **environment: str) -> dict[str, Any]:
    """Run a client on documents; return the outcome that it reports."""
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
