"""Clients of Sumo Logic that others wrote, each run in an environment of its own below `.state/`, made once."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
STATE = HERE.parents[2] / ".state" / "sumo_logic_clients"
CLIENT_SECONDS = 30


def python_environment() -> Path:
    """The interpreter that has the Python clients; raises RuntimeError with the installer's own words."""

    def install(folder: Path) -> None:
        _run("uv", "venv", "--quiet", "--relocatable", "--python", sys.executable, str(folder))
        packages = ["--require-hashes", "--requirement", str(HERE / "requirements.txt")]
        _run("uv", "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *packages)

    return _made_once("python", [HERE / "requirements.txt"], install) / "bin" / "python"


def node_modules() -> Path:
    """The folder that has the npm clients; raises RuntimeError with npm's own words."""
    files = [HERE / "package.json", HERE / "package-lock.json"]

    def install(folder: Path) -> None:
        folder.mkdir()
        for file in files:
            shutil.copy(file, folder)
        _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", str(folder))

    return _made_once("npm", files, install) / "node_modules"


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


def _made_once(name: str, files: list[Path], install: Callable[[Path], None]) -> Path:
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files) + sys.version.encode()).hexdigest()
    folder = STATE / f"{name}-{digest[:16]}"
    if folder.exists():
        return folder
    STATE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=STATE) as temporary:
        fresh = Path(temporary) / name
        install(fresh)
        try:
            fresh.rename(folder)  # at once, so that a run beside this one never sees half of it
        except OSError:
            if not folder.exists():
                raise
    return folder


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:3])} failed, so there is no client to test with:\n{done.stderr}")
