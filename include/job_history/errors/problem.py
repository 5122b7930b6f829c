"""A problem's sentences, taken apart for a reader who has little room: account, window, code, cause and fix."""

from __future__ import annotations

import re
from dataclasses import dataclass

from job_history.errors.catalogue import CATALOGUE
from job_history.errors.code import Code

# For example: load of account 77 Globex, window [2018-05-21T00:00:00Z, 2018-05-21T01:00:00Z), part 1 of 2
_ABOUT = re.compile(
    r"(?:(?P<step>\w+) of )?[Aa]ccount (?P<account>.+?)"
    r"(?:, window \[?(?P<start>\d{4}-[^\s,)]+)(?:, (?P<end>[^\s)]+)\))?)?(?:, (?P<part>part \d+ of \d+))?: ",
    re.DOTALL,
)
_CODE = re.compile(r"([A-Z][A-Z0-9_]+): ")
_BETWEEN_SENTENCES = re.compile(r"(?<=[.!?]) +(?=[A-Z`])")


@dataclass(frozen=True)
class Problem:
    """`account` is "5234 Acme" and `start` the window's start, ISO 8601; both are empty if the problem has none.

    `code` is empty if the problem is not in the catalogue. `fix` is what to do; it may be empty.
    """

    account: str
    start: str
    code: str
    cause: str
    fix: str


def parse_problem(text: str) -> Problem:
    """Take apart a message of a report or a receipt. A text in no known form is a cause as a whole."""
    about = _ABOUT.match(text)
    account, start, before = "", "", ""
    if about is not None:
        account, start = about["account"], about["start"] or ""
        before = ", ".join(filter(None, (about["step"], about["part"])))
        text = text[about.end() :]
    code = _CODE.match(text)
    known = code is not None and code[1] in Code.__members__.values()
    if code is not None and known:
        text = text[code.end() :]
    # A finding names the account too.
    for again in (f"Account {account}, ", f"Account {account}: "):
        text = text.removeprefix(again) if account else text
    cause, fix = _cause_and_fix(text)
    return Problem(
        account, start, code[1] if code is not None and known else _code_of(fix), _joined(before, cause), fix
    )


def _cause_and_fix(text: str) -> tuple[str, str]:
    for entry in CATALOGUE.values():
        if text.endswith(f" {entry.fix}"):
            return text.removesuffix(entry.fix).rstrip(), entry.fix
    *_, last = _BETWEEN_SENTENCES.split(text)
    return (text, "") if last == text else (text.removesuffix(last).rstrip(), last)


def _code_of(fix: str) -> str:
    """Return the code whose fix it is, if no other code has the same."""
    codes = [code for code, entry in CATALOGUE.items() if fix == entry.fix]
    return codes[0] if len(codes) == 1 else ""


def _joined(before: str, cause: str) -> str:
    return f"{before}: {cause}" if before else cause
