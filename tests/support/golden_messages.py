"""The wording of messages, in one file: tests/golden/messages.toml.

A test asserts codes, ids and facts by itself, and calls `check_message(text)` to compare the whole wording with the
file, under its own name. After a rewording, `pytest --write-messages <tests>` writes the file.
"""

from __future__ import annotations

import json
import tomllib
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from simulators.project import ROOT

GOLDEN = ROOT / "tests" / "golden" / "messages.toml"
_HEAD = "# The wording of messages, by the test that compares it. Written by: .venv/bin/python -m pytest --write-messages tests/unit\n"  # noqa: E501

CheckMessage = Callable[[str], None]
Texts = dict[str, dict[str, dict[str, str]]]
_golden = pytest.StashKey["GoldenMessages"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-messages", action="store_true", help="write the messages that tests compare to tests/golden"
    )


class GoldenMessages:
    """The messages by file, test and case. With `write`, what tests find is kept in place of being compared."""

    def __init__(self, path: Path, *, write: bool) -> None:
        self.path = path
        self.write = write
        self.texts: Texts = tomllib.loads(path.read_text()) if path.exists() else {}
        self.found: Texts = {}

    def check(self, file: str, test: str, case: str, text: str) -> None:
        self.found.setdefault(file, {}).setdefault(test, {})[case] = text
        if not self.write:
            golden = self.texts.get(file, {}).get(test, {}).get(case)
            assert text == golden, "if the wording was meant to change: pytest --write-messages"

    def save(self, *, whole_files: bool) -> None:
        """Write the file. With `whole_files`, what a file's tests no longer compare is dropped."""
        for file, tests in self.found.items():
            kept = {} if whole_files else self.texts.get(file, {})
            self.texts[file] = kept | {test: kept.get(test, {}) | cases for test, cases in tests.items()}
        lines = [_HEAD]
        for file, tests in sorted(self.texts.items()):
            for test, cases in sorted(tests.items()):
                lines.append(f"\n[{_quoted(file)}.{test}]\n")
                lines += [f"{_quoted(case)} = {_quoted(text)}\n" for case, text in sorted(cases.items())]
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text("".join(lines))


def _short(case: str) -> str:
    """Cut a case that has a long text as parameter, and keep it unique."""
    return case if len(case) <= 120 else f"{case[:110]}{zlib.crc32(case.encode()):08x}"


def _quoted(text: str) -> str:
    """Write a TOML string: JSON's escapes are among TOML's."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--write-messages") and config.getoption("numprocesses", None):
        raise pytest.UsageError("--write-messages needs one process: leave out -n")
    config.stash[_golden] = GoldenMessages(GOLDEN, write=config.getoption("--write-messages"))


def pytest_sessionfinish(session: pytest.Session) -> None:
    golden = session.config.stash[_golden]
    if golden.write and golden.found:
        selected = bool(session.config.option.keyword) or any("::" in argument for argument in session.config.args)
        golden.save(whole_files=not selected)


@pytest.fixture
def check_message(request: pytest.FixtureRequest) -> CheckMessage:
    """Compare a message with its golden wording; once in a test."""
    golden = request.config.stash[_golden]
    file = str(request.path.relative_to(ROOT / "tests"))
    test, _, case = request.node.name.partition("[")
    return lambda text: golden.check(file, test, _short(case.removesuffix("]")), text)
