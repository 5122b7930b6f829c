"""The crash matrix: a page generated from marks on tests.

A test, or a case of one, declares a cell with the mark that `crash_cell` gives. `python -m tests.support.crash_matrix`
runs all of them and writes docs/crash-matrix.md, if all passed; tests/contract/test_crash_matrix.py compares the page
with what is declared.
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
    "others": "Google, Splunk, Datadog, receivers of HTTP",
    "around": "Database, disk, scheduler, other runs",
}
_HEAD = """\
# The crash matrix

What was broken on purpose, at which point, and what recovered from it. Each row has a test that does it: with real processes and
a real SIGKILL, real requests to an endpoint with scripted answers, a real database, a real scheduler. After the recovery each of
these tests checks that

- the destination has exactly the source's documents, byte for byte, computed from the source's rows by separate code;
- on S3 no key was written twice: one version per key;
- on Sumo Logic, Splunk, Datadog and receivers of HTTP a repeated message is equal under the same `delivery_id`, part for part;
- the window's receipt is closed, its counts balance, and its item list is what the source has.

*Tried again*: the task's own retry, or a cleared task. *Run again*: another run of the window.

This page is generated: `.venv/bin/python -m tests.support.crash_matrix` runs the tests and writes it.
"""  # noqa: E501


def crash_cell(group: str, fault: str, at: str, recovered_by: str) -> pytest.MarkDecorator:
    """Declare what a test breaks, at which point, and what recovers from it."""
    return pytest.mark.crash_cell(cell=Cell(group, fault, at, recovered_by))


@dataclass(frozen=True)
class Cell:
    """A row of the page, before it is known which test it is."""

    group: str
    fault: str
    at: str
    recovered_by: str


def declared(items: Iterable[pytest.Item]) -> list[tuple[str, Cell]]:
    """Return the collected tests that declare a cell, each with it."""
    return [
        (item.nodeid, mark.kwargs["cell"])
        for item in items
        for mark in [item.get_closest_marker("crash_cell")]
        if mark is not None
    ]


def page(cells: Iterable[tuple[str, Cell]]) -> str:
    """Return the page as Markdown: a row for each fault and place, with every way of recovery."""
    tables: dict[str, dict[str, list[str]]] = {group: {} for group in GROUPS}
    tests: dict[str, str] = {}
    for node, cell in cells:
        row = f"| {cell.fault} | {cell.at} |"
        tables[cell.group].setdefault(row, []).append(cell.recovered_by)
        tests[row] = node.partition("[")[0]
    rows = "".join(
        f"\n## {title}\n\n| what happens | at | recovered by | test |\n|---|---|---|---|\n"
        + "".join(
            f"{row} {', '.join(dict.fromkeys(recovered_by))} | {_test_name(tests[row])} |\n"
            for row, recovered_by in tables[group].items()
        )
        for group, title in GROUPS.items()
    )
    files = sorted({node.partition("::")[0] for node in tests.values()})
    return _HEAD + rows + "\n" + "".join(f"[{_label(file)}]: ../{file}\n" for file in files)


def _test_name(node: str) -> str:
    file, _, test = node.partition("::")
    return f"{test} ([{_label(file)}])"


def _label(file: str) -> str:
    return file.removeprefix("tests/").removesuffix(".py")


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
