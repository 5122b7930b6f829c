"""`make demo`, as a newcomer runs it: it ends by itself, and shows what it promises."""

from __future__ import annotations

import subprocess
import sys

import pytest

from simulators.project import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def test_the_demo_ends_well_and_shows_what_was_delivered_and_that_nothing_is_missing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "simulators.demo"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, f"{done.stdout[-3_000:]}\n{done.stderr[-3_000:]}"
    assert "5 windows are complete, and left alone" in done.stdout
    assert "Nothing is missing, lost or altered." in done.stdout
    assert "/5234-234-100-20180521000000-succeeded.json" in done.stdout
