"""Separate environments below `.state/` for programs of other projects, whose requirements exclude ours; each is
made once.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.support.debian_packages import PackagesUnavailable, have_programs

from simulators.project import ROOT

# Our files pin the programs themselves; what these require is installed as of this day, so that it does not change
# either.
AS_OF = "2026-11-28"
UV = str(ROOT / ".uv" / "bin" / "uv")  # `make` installs it
INSTALL_SECONDS = 240
SYSTEM_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")


def python_environment(requirements: Path) -> Path:
    """Return the interpreter of an environment that has these requirements. Raises PackagesUnavailable."""

    def install(folder: Path) -> None:
        run_installer(UV, "venv", "--quiet", "--relocatable", "--python", sys.executable, str(folder))
        target = ["--quiet", "--python", str(folder / "bin" / "python")]
        run_installer(UV, "pip", "install", *target, "--exclude-newer", AS_OF, "--requirement", str(requirements))

    return make_once(requirements.parent.name, requirements.stem, requirements, install) / "bin" / "python"


def node_modules(package: Path) -> Path:
    """Return the folder with what a `package.json` names. Raises PackagesUnavailable."""

    def install(folder: Path) -> None:
        folder.mkdir()
        shutil.copy(package, folder)
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", f"--before={AS_OF}"]
        run_installer("npm", "install", *options, "--prefix", str(folder))

    with tempfile.TemporaryDirectory() as logs:
        have_programs("Node.js", ["node", "npm"], ["nodejs", "npm"], log_path=Path(logs) / "apt-get.log")
    return make_once(package.parent.name, "npm", package, install) / "node_modules"


def make_once(group: str, name: str, requirements: Path, install: Callable[[Path], None]) -> Path:
    """Return the folder that `install` fills; it is made again if the requirements or this Python changed."""
    digest = hashlib.sha256(requirements.read_bytes() + f"{AS_OF} {sys.version}".encode()).hexdigest()
    state = ROOT / ".state" / group
    folder = state / f"{name}-{digest[:16]}"
    if folder.exists():
        return folder
    state.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=state) as temporary:
        fresh = Path(temporary) / name
        install(fresh)
        try:
            fresh.rename(folder)  # in one step: a test run at the same time never sees half of it
        except OSError:
            if not folder.exists():
                raise
    return folder


def run_installer(*command: str) -> None:
    """Run the command.

    Raises PackagesUnavailable with what it printed, and RuntimeError if a package is not the pinned one.
    """
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS, env=_environment()
        )
    except subprocess.TimeoutExpired:
        raise PackagesUnavailable(f"{' '.join(command[:3])} did not end in {INSTALL_SECONDS} s.") from None
    if done.returncode != 0:
        message = f"{' '.join(command[:3])} failed, so there is no client to run:\n{done.stderr}"
        is_another = "Hash mismatch" in done.stderr or "EINTEGRITY" in done.stderr
        raise RuntimeError(message) if is_another else PackagesUnavailable(message)


def _environment() -> dict[str, str]:
    """Return an environment in which uv and npm also trust the system's authorities, as a proxy may need."""
    if not SYSTEM_AUTHORITIES.exists():
        return {**os.environ}
    return {"UV_SYSTEM_CERTS": "1", "NODE_EXTRA_CA_CERTS": str(SYSTEM_AUTHORITIES), **os.environ}
