"""A second `make demo` or `make up` in one checkout is refused, and spoils nothing of the first one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from simulators.one_at_a_time import AlreadyRunningError, one_at_a_time
from simulators.project import ROOT, STATE


@pytest.mark.xdist_group("demo")  # the demo itself must not run meanwhile
@pytest.mark.parametrize("name", ["demo", "up"])
def test_a_second_command_is_refused_with_one_line_and_changes_nothing(name: str) -> None:
    folder = STATE / name
    with one_at_a_time(folder, f"make {name}"):
        folder.mkdir(exist_ok=True)
        kept = folder / "of_the_first.txt"
        kept.touch()
        try:
            second = subprocess.run(
                [sys.executable, "-m", f"simulators.{name}"],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert kept.exists()
        finally:
            kept.unlink(missing_ok=True)

    assert (second.returncode, second.stdout) == (1, "")
    [line] = second.stderr.splitlines()
    assert f"make {name}" in line
    assert str(folder) in line


def test_the_folder_is_free_again_once_its_process_is_killed(tmp_path: Path) -> None:
    hold = f"""import time
from pathlib import Path
from simulators.one_at_a_time import one_at_a_time
with one_at_a_time(Path({str(tmp_path / "demo")!r}), "make demo"):
    print("held", flush=True)
    time.sleep(60)"""
    with subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with pytest.raises(AlreadyRunningError), one_at_a_time(tmp_path / "demo", "make demo"):
            pass
        first.kill()

    with one_at_a_time(tmp_path / "demo", "make demo"):
        pass
