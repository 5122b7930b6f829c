"""`make demo`, as a newcomer runs it: it ends by itself, and shows what it promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from simulators.project import ROOT

# One after the other: the demo has one folder.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300), pytest.mark.xdist_group("demo")]


@pytest.mark.promise("demo")
@pytest.mark.parametrize("columns", [80, 200])
def test_the_demo_ends_well_and_shows_what_was_delivered_and_that_nothing_is_missing(columns: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "simulators.demo"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": str(columns)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, f"{done.stdout[-3_000:]}\n{done.stderr[-3_000:]}"
    assert "5 windows are complete, and left alone" in done.stdout
    assert "Nothing is missing, lost or altered." in done.stdout
    assert re.search(r"Job 900011 of 5234 Acme: report is not valid JSON.*\n.*\nTo fix it: ", done.stdout)
    assert re.findall(r": exit code ([012])$", done.stdout, re.MULTILINE) == ["0"] * 4 + ["1"]
    assert re.search(r"^  modified +5234/jobs seal [0-9]+", done.stdout, re.MULTILINE)
    assert re.search(r"^ +[0-9]+ s  task [0-9]+: ", done.stdout, re.MULTILINE)
    assert "…" not in done.stdout
    whole = r"s3://|^[{]|[.]state|^ +5234/jobs/.*-succeeded[.]json:$"  # keys, documents and paths are not cut
    prose = [line for line in done.stdout.splitlines() if not re.search(whole, line)]
    assert [line for line in prose if len(line) > 80] == []
    assert "/5234-234-100-20180521000000-succeeded.json" in done.stdout
