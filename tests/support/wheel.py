"""The project's wheel, built by its pinned backend."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from simulators.project import ROOT


def build_wheel(folder: Path, root: Path = ROOT, **environment: str) -> Path:
    """Build the wheel of the project in `root`. Returns its path."""
    code = f"from hatchling.build import build_wheel; print(build_wheel({str(folder)!r}))"
    built = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=root,
        env={name: value for name, value in os.environ.items() if name != "PROJECT_URL"} | environment,
    )
    return folder / built.stdout.splitlines()[-1]
