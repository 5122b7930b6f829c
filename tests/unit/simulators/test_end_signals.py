"""SIGINT and SIGTERM end a program in order, also if a shell started it in the background and so ignoring SIGINT."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from simulators.project import ROOT

PROGRAM = """
import signal, subprocess, sys
from simulators.end_signals import in_order_at_end_signals
try:
    with in_order_at_end_signals():
        child = subprocess.Popen(["sleep", "60"])
        try:
            print("started", flush=True)
            signal.pause()
        finally:
            signal.raise_signal(signal.SIGINT)  # a second one, while the first is being handled
            child.send_signal(signal.SIGINT)
            print("child ended by", -child.wait(10), flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


@pytest.mark.parametrize(
    ("number", "printed", "exit_code"),
    [(signal.SIGINT, ["interrupted"], 0), (signal.SIGTERM, [], 128 + signal.SIGTERM)],
)
def test_program_that_ignores_sigint_at_its_start_is_ended_in_order(
    number: signal.Signals, printed: list[str], exit_code: int
) -> None:
    program = subprocess.Popen(
        ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh", sys.executable, "-c", PROGRAM],
        env=os.environ | {"PYTHONPATH": str(ROOT / "include")},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "started\n"

    program.send_signal(number)
    output, _ = program.communicate(timeout=30)

    assert output.splitlines() == [f"child ended by {signal.SIGINT.value}", *printed]
    assert program.returncode == exit_code
