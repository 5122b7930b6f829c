"""The page of the crash matrix is what the tests declare."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.support.crash_matrix import PAGE

from simulators.project import ROOT


@pytest.mark.promise("crash-matrix")
def test_the_page_is_what_the_tests_declare() -> None:
    """In a process of its own, because pytest cannot look for tests within itself."""
    made = subprocess.run(
        [sys.executable, "-m", "tests.support.crash_matrix", "--declared"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert PAGE.read_text() == made.stdout, "run: .venv/bin/python -m tests.support.crash_matrix"


def test_every_place_and_every_fault_is_there() -> None:
    page = PAGE.read_text()
    steps = ("list", "fetch", "stage", "transform", "put", "post", "receipt")
    places = [f"{when} {step}" for step in steps for when in ("before", "after")]
    answers = [
        "403",
        "404",
        "409",
        "412",
        "429",
        "500",
        "503 SlowDown",
        "reset",
        "no answer in time",
        "wrong region",
        "expired token",
    ]
    around = ["disk", "database", "scheduler", "two runs of one window at once"]

    assert [named for named in (*places, *answers, *around) if named not in page] == []
