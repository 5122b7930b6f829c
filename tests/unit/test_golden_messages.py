"""The golden file of messages: it fails on other words, and holds nothing that no test compares."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from tests.support.golden_messages import GOLDEN, GoldenMessages

from simulators.project import ROOT


def saved(path: Path, *texts: tuple[str, str], whole_files: bool = True) -> GoldenMessages:
    golden = GoldenMessages(path, write=True)
    for case, text in texts:
        golden.check("a.py", "test_a", case, text)
    golden.save(whole_files=whole_files)
    return GoldenMessages(path, write=False)


def test_golden_message_fails_on_other_words_and_on_an_unknown_case(tmp_path: Path) -> None:
    golden = saved(tmp_path / "golden.toml", ("one", 'It is "no": \\ \n é \x7f.'))

    golden.check("a.py", "test_a", "one", 'It is "no": \\ \n é \x7f.')
    for case, text in (("one", "It is no."), ("two", "It is no.")):
        with pytest.raises(AssertionError, match="--write-messages"):
            golden.check("a.py", "test_a", case, text)


def test_writing_whole_files_drops_cases_that_no_test_compares(tmp_path: Path) -> None:
    path = tmp_path / "golden.toml"
    saved(path, ("one", "1"), ("two", "2"))

    assert saved(path, ("two", "II"), whole_files=False).texts == {"a.py": {"test_a": {"one": "1", "two": "II"}}}
    assert saved(path, ("two", "II")).texts == {"a.py": {"test_a": {"two": "II"}}}


def test_each_golden_message_belongs_to_a_test() -> None:
    texts = GoldenMessages(GOLDEN, write=False).texts
    named = {(file, test) for file, tests in texts.items() for test in tests}
    there = {
        (file, node.name)
        for file in texts
        for node in ast.walk(ast.parse((ROOT / "tests" / file).read_text()))
        if isinstance(node, ast.FunctionDef) and "check_message" in {argument.arg for argument in node.args.args}
    }

    assert named == there
