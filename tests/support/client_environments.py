"""Environments of their own for programs that others wrote, below `.state/`, each made once: their requirements exclude ours."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from simulators.project import ROOT


def python_environment(lock: Path) -> Path:
    """The interpreter that has what a lock file names; raises RuntimeError with the installer's own words."""

    def install(folder: Path) -> None:
        # Make brings its own where there is none.
        uv = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
        run_installer(uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, str(folder))
        packages = ["--require-hashes", "--requirement", str(lock)]
        run_installer(uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *packages)

    return made_once(lock.parent.name, lock.stem, [lock], install) / "bin" / "python"


def made_once(group: str, name: str, files: list[Path], install: Callable[[Path], None]) -> Path:
    """The folder that `install` fills; it is made anew when one of the files, or this Python, is another."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files) + sys.version.encode()).hexdigest()
    state = ROOT / ".state" / group
    folder = state / f"{name}-{digest[:16]}"
    if folder.exists():
        return folder
    state.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=state) as temporary:
        fresh = Path(temporary) / name
        install(fresh)
        try:
            fresh.rename(folder)  # at once, so that a run beside this one never sees half of it
        except OSError:
            if not folder.exists():
                raise
    return folder


def run_installer(*command: str) -> None:
    """Run it; raises RuntimeError with its own words."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:3])} failed, so there is no client to run:\n{done.stderr}")
