"""Clients of Sumo Logic that others wrote, run in environments of their own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from tests.support import client_environments

HERE = Path(__file__).parent
CLIENT_SECONDS = 30


def python_environment() -> Path:
    """Return the interpreter that has the Python clients. Raises PackagesUnavailable."""
    return client_environments.python_environment(HERE / "requirements.txt")


def node_modules() -> Path:
    """Return the folder that has the npm clients. Raises PackagesUnavailable."""
    return client_environments.node_modules(HERE / "package.json")


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
