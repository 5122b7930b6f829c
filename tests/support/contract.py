"""The contract page: the promises of contract.toml, each with the tests that hold it.

A test holds promises with the mark `@pytest.mark.promise("<id>", ...)`. The marks are read from the source of the
tests, without importing them. `python -m tests.support.contract` writes docs/contract.md;
tests/unit/test_contract_page.py checks that the page is current.
"""

from __future__ import annotations

import ast
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path

from simulators.project import ROOT

TESTS = ROOT / "tests"
PAGE = ROOT / "docs" / "contract.md"
PROMISES = Path(__file__).with_name("contract.toml")

_HEAD = """\
# The contract

What a user may rely on. Under each promise are the tests that fail if it is broken.

This page is generated: the promises are in [tests/support/contract.toml](../tests/support/contract.toml), and tests refer
to them by id with `@pytest.mark.promise("<id>")`. `.venv/bin/python -m tests.support.contract` writes the page.
The [glossary](architecture.md#glossary) defines account, job, window, slice, document and receipt.
"""  # noqa: E501


def promises() -> dict[str, dict[str, str]]:
    """Return the promises by group: id and text on one line."""
    groups = tomllib.loads(PROMISES.read_text())
    return {title: {name: " ".join(text.split()) for name, text in group.items()} for title, group in groups.items()}


def held_by() -> dict[str, list[tuple[Path, str]]]:
    """Return, for each promise id in a mark, the tests that have it: file and test name."""
    tests: dict[str, list[tuple[Path, str]]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        source = path.read_text()
        if "mark.promise" not in source:
            continue
        for function in ast.walk(ast.parse(source)):
            if isinstance(function, ast.FunctionDef):
                for promise in _marks(function):
                    tests.setdefault(promise, []).append((path, function.name))
    return tests


def _marks(function: ast.FunctionDef) -> Iterator[str]:
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.promise":
            yield from (ast.literal_eval(argument) for argument in decorator.args)


def page() -> str:
    """Return the page as Markdown. Its lines are short, so that it can be read as a text file."""
    tests = held_by()
    parts = [_HEAD]
    for title, group in promises().items():
        parts.append(f"\n## {title}\n")
        for name, text in group.items():
            held = "".join(f"  - {test} ([{_label(path)}])\n" for path, test in tests.get(name, []))
            parts.append(f"\n- **{name}**\n{_wrapped(text)}\n{held}")
    files = sorted({path for found in tests.values() for path, _ in found})
    parts.append("\n")
    parts += [f"[{_label(path)}]: ../{path.relative_to(ROOT)}\n" for path in files]
    return "".join(parts)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 110, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)


def _label(path: Path) -> str:
    return str(path.relative_to(TESTS).with_suffix(""))


if __name__ == "__main__":
    PAGE.write_text(page())
    sys.stdout.write(f"Wrote {PAGE.relative_to(ROOT)}.\n")
