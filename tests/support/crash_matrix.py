"""The crash matrix: a page made of what tests say that they prove.

A test, or a case of one, declares a cell with the mark that `crash_cell` gives. `python -m tests.support.crash_matrix` runs
all of them and writes docs/crash-matrix.md, if all passed; tests/contract/test_crash_matrix.py compares the page with what
is declared.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any

import pytest

from simulators.project import ROOT

PAGE = ROOT / "docs" / "crash-matrix.md"
GROUPS = {
    "killed": "A process is killed (SIGKILL)",
    "s3": "The bucket",
    "sumo_logic": "Sumo Logic",
    "around": "What is around",
}
_HEAD = """\
# The crash matrix

What was broken on purpose, where, and what mended it. Behind each row stands a test that does it: real processes and a real
SIGKILL, real requests to an endpoint that answers as told, a real database, a real scheduler. After the recovery each of
these tests looks at the same things:

- the destination has exactly the source's documents, byte for byte, computed from the source's rows by other code than the
  project's;
- on S3 no key was written twice: one version a key;
- on Sumo Logic a message that is there twice is the same under the same `delivery_id`, part for part;
- the window's receipt is closed, its books balance, and its item list is what the source has.

*Tried again*: the task's own retry, or its being cleared. *Run again*: another run of the window. The tests write this page:
`.venv/bin/python -m tests.support.crash_matrix` runs them all, and a test compares the page with what they declare.
"""


def crash_cell(group: str, fault: str, at: str, mended_by: str) -> pytest.MarkDecorator:
    """Declare what a test breaks, where, and what mends it again."""
    return pytest.mark.crash_cell(cell=Cell(group, fault, at, mended_by))


@dataclass(frozen=True)
class Cell:
    """A row of the page, before it is known which test it is."""

    group: str
    fault: str
    at: str
    mended_by: str


def declared(items: Iterable[pytest.Item]) -> list[tuple[str, Cell]]:
    """Return the collected tests that declare a cell, each with it."""
    return [
        (item.nodeid, mark.kwargs["cell"])
        for item in items
        for mark in [item.get_closest_marker("crash_cell")]
        if mark is not None
    ]


def page(cells: Iterable[tuple[str, Cell]]) -> str:
    """Return the page as Markdown: a row for each fault and place, with everything that mends it."""
    tables: dict[str, dict[str, list[str]]] = {group: {} for group in GROUPS}
    tests: dict[str, str] = {}
    for node, cell in cells:
        row = f"| {cell.fault} | {cell.at} |"
        tables[cell.group].setdefault(row, []).append(cell.mended_by)
        tests[row] = node.partition("[")[0]
    return _HEAD + "".join(
        f"\n## {title}\n\n| what happens | where | mended by | held by |\n|---|---|---|---|\n"
        + "".join(f"{row} {', '.join(mended_by)} | `{tests[row]}` |\n" for row, mended_by in tables[group].items())
        for group, title in GROUPS.items()
    )


class Cells:
    """A plugin of pytest: the cells that it met, and the tests that did not pass."""

    def __init__(self) -> None:
        self.met: list[tuple[str, Cell]] = []
        self.not_passed: list[str] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.met = declared(session.items)

    def pytest_runtest_logreport(self, report: Any) -> None:
        if not report.passed:
            self.not_passed.append(report.nodeid)


def _meet(*options: str) -> Cells:
    cells = Cells()
    files = sorted(str(path) for path in (ROOT / "tests").rglob("test_*.py") if "crash_cell(" in path.read_text())
    pytest.main(["-q", "-m", "crash_cell", "--rootdir", str(ROOT), *options, *files], plugins=[cells])
    return cells


def _write() -> int:
    cells = _meet()
    if cells.not_passed or not cells.met:
        print(f"{PAGE} was not written, because these did not pass:", *cells.not_passed, sep="\n")
        return 1
    PAGE.write_text(page(cells.met))
    print(f"{len(cells.met)} cells are in {PAGE}.")
    return 0


def _print_declared() -> int:
    with redirect_stdout(StringIO()):
        cells = _meet("--collect-only")
    print(page(cells.met), end="")
    return 0


if __name__ == "__main__":
    sys.exit(_print_declared() if "--declared" in sys.argv else _write())
