"""docs/contract.md is generated from the promises and the marks of the tests."""

from __future__ import annotations

from tests.support.contract import PAGE, TESTS, held_by, page, promises


def test_contract_page_is_current() -> None:
    assert PAGE.read_text() == page(), "run: .venv/bin/python -m tests.support.contract"


def test_each_promise_has_a_test_and_each_mark_a_promise() -> None:
    ids = [name for group in promises().values() for name in group]

    assert len(ids) == len(set(ids)), "a promise id occurs in two groups"
    assert set(held_by()) == set(ids)


def test_each_promise_mark_decorates_a_test() -> None:
    """A mark in another place (a parameter, a module) would not be found."""
    found = {(path, test) for tests in held_by().values() for path, test in tests}
    marks = {path: path.read_text().count("pytest.mark." + "promise(") for path in TESTS.rglob("test_*.py")}

    assert all(test.startswith("test_") for _, test in found)
    assert {path: count for path, count in marks.items() if count} == {
        path: len({test for where, test in found if where == path}) for path, _ in found
    }
