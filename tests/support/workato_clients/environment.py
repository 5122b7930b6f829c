"""One environment for each client, since their requirements exclude each other's and ours."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

HERE = Path(__file__).parent
STATE = HERE.parents[2] / ".state" / "workato_clients"


def python_of(name: Literal["tap", "cli"]) -> Path:
    """The interpreter that has one of the clients; raises RuntimeError with the installer's own words."""
    lock = HERE / f"{name}.txt"
    digest = hashlib.sha256(lock.read_bytes() + sys.version.encode()).hexdigest()
    folder = STATE / f"{name}-{digest[:16]}"
    if not folder.exists():
        STATE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=STATE) as temporary:
            fresh = Path(temporary) / name
            _install(fresh, lock)
            try:
                fresh.rename(folder)  # at once, so that a run beside this one never sees half of it
            except OSError:
                if not folder.exists():
                    raise
    return folder / "bin" / "python"


def _install(folder: Path, lock: Path) -> None:
    _run("uv", "venv", "--quiet", "--relocatable", "--python", sys.executable, str(folder))
    packages = ["--require-hashes", "--requirement", str(lock)]
    _run("uv", "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *packages)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:3])} failed, so there is no client to test with:\n{done.stderr}")
