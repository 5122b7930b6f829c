"""Random documents with secrets in them, and three checks of what redaction makes of each.

`python -m tests.unit.redaction.attack --documents 1000000 --seed 7` runs many; test_attack.py runs a few.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any
from unittest.mock import patch

from tests.unit.redaction.samples import KEY, RULES
from tests.unit.samples import line, record

from job_history.errors import BadRecordError
from job_history.redaction import Redaction, json_pass, redactor, skipping
from job_history.redaction.location import Location
from job_history.redaction.patterns import PATTERNS
from job_history.redaction.prefilter import Prefilter
from job_history.redaction.skipping import Skipping
from job_history.redaction.untouched import Untouched

MARK = "S3C"
"""Begins every planted secret, and is in nothing else."""

RULE_SETS: tuple[list[dict[str, str]], ...] = (
    [{"field": "*password*", "action": "mask"}],
    [{"field": "*password*", "action": "hash"}, {"value": "email", "action": "mask"}],
    [{"field": "*PASSWORD*", "action": "drop"}, {"value": "card_number", "action": "mask"}],
    [
        {"value": "email", "action": "hash"},
        {"value": "card_number", "action": "drop"},
        {"field": "*pass?ord*", "action": "mask"},
        {"path": "lines[*].input.rows[*].*.id", "action": "drop"},
    ],
)
_HEX = re.compile(r"\\+u([0-9a-fA-F]{4})")


class Writer:
    """Makes up a value and writes it as JSON, with random escapes, spaces, nesting in texts, words around it and
    cuts.
    """

    def __init__(self, random: Random, *, emails: bool = False) -> None:
        self._random = random
        self._emails = emails

    def document(self) -> str:
        """JSON text of an object."""
        return self._written(self._value(4), spaces=False, escapes=self._random.choice((0, 0, 0.1, 1)))

    def words(self) -> str:
        """JSON amid words, perhaps cut short."""
        pick = self._random
        text = self._written(self._value(3), spaces=pick.random() < 0.5, escapes=pick.choice((0, 0, 0.05)))
        if not self._emails and pick.random() < 0.3:
            text = text[: pick.randrange(1, len(text) + 1)]
        before, after = (
            pick.choice(("400 Bad Request ", "error: ", "it's ", "sent [", "{")),
            pick.choice(("", " was sent", "]", "}", " \\")),
        )
        return before + text + after

    def _value(self, depth: int) -> Any:
        pick = self._random
        if depth and pick.random() < 0.7:
            if pick.random() < 0.3:
                return [self._value(depth - 1) for _ in range(pick.randrange(4))]
            if pick.random() < 0.3:
                return [_Object(self._member(depth) for _ in range(pick.randrange(3))) for _ in range(3)]
            return _Object(self._member(depth) for _ in range(pick.randrange(1, 5)))
        if depth and pick.random() < 0.5:
            return _Nested(self._value(depth - 1), pick.choice(("json", "json", "json", "words", "cut", "text")))
        return pick.choice((self._plain(), pick.randrange(10**6), True, None, 1.5, "", [], _Object()))

    def _member(self, depth: int) -> tuple[str, Any]:
        pick = self._random
        if pick.random() < 0.3:
            name = pick.choice(
                (
                    "password",
                    "PassWord",
                    'my"password',
                    'password"2',
                    "db password\\",
                    "pass\u2060word password",
                    "ö/password",
                )
            )
            return name, self._secret()
        if self._emails and pick.random() < 0.1:
            return self._email(), self._value(depth - 1)
        name = pick.choice(("a", "id", "rows", "name", "größe", 'quo"te', "", "pass", "a:b", "x\\y", "},{"))
        return name, self._value(depth - 1)

    def _secret(self) -> Any:
        pick = self._random
        text = MARK + pick.choice(
            ("", " with spaces", ' "quoted" ', "\\", "{brace", "}", "]", ", comma", "\n", "é", "'", '\\"', "://")
        )
        text = pick.choice(("", "x ", '"', "\\")) + text
        return pick.choice(
            (text, text, text, [text, {"b": text}], _Object([("password", text), ("c", 1)]), _Nested(text, "json"))
        )

    def _plain(self) -> str:
        pick = self._random
        if self._emails and pick.random() < 0.5:
            return (
                pick.choice(("", "to ", "<", "(", "?mail="))
                + self._email()
                + pick.choice(("", " x", ">", ")", ", y", "&z=1"))
            )
        return pick.choice(
            ("x", "é ü", "a\\b", 'say "hi"', "1 2", "\n", "{", "\ud83d\ude00", "it's", 'a": b', "\\u0041", "/")
        )

    def _email(self) -> str:
        pick = self._random
        local = "".join(
            pick.choice(("a", "Z", "9", "e\u0301", "हि", "ü", "!", "#", "+", "-", "_", ".x"))
            for _ in range(pick.randrange(1, 5))
        )
        at = pick.choice(("@", "@", "%40"))
        return f"{MARK}{local}{at}{pick.choice(('example.com', 'उदाहरण.भारत', 'a.b.c-d.de', '[10.0.0.1]'))}"

    def _written(self, value: Any, *, spaces: bool, escapes: float) -> str:
        def space() -> str:
            return self._random.choice(("", " ", "\n ")) if spaces else ""

        def write(value: Any) -> str:
            if isinstance(value, _Object):
                members = [
                    f"{space()}{self._string(name, escapes)}{space()}:{space()}{write(each)}" for name, each in value
                ]
                return "{" + ",".join(members) + space() + "}"
            if isinstance(value, dict):
                return write(_Object(value.items()))
            if isinstance(value, list):
                return "[" + ",".join(space() + write(each) for each in value) + "]"
            if isinstance(value, _Nested):
                return self._string(self._nested(value), escapes)
            return self._string(value, escapes) if isinstance(value, str) else json.dumps(value)

        return write(value)

    def _nested(self, nested: _Nested) -> str:
        pick = self._random
        text = self._written(nested.value, spaces=pick.random() < 0.3, escapes=pick.choice((0, 0, 0.1, 1)))
        match nested.kind:
            case "words":
                return pick.choice(("error: ", "400 ", "- ")) + text + pick.choice(("", " x", "."))
            case "cut" if not self._emails:  # an address that is cut short is none
                return "cut " + text[: pick.randrange(1, len(text) + 1)]
        return text

    def _string(self, text: str, escapes: float) -> str:
        written = json.dumps(text, ensure_ascii=False)[1:-1]
        if escapes:
            parts = re.findall(r"\\u....|\\.|.", written, re.DOTALL)
            written = "".join(self._escaped(part) if self._random.random() < escapes else part for part in parts)
        try:
            written.encode()
        except UnicodeEncodeError:
            written = json.dumps(text)[1:-1]
        return f'"{written}"'

    def _escaped(self, part: str) -> str:
        character = json.loads(f'"{part}"')
        if character == "/" and self._random.random() < 0.5:
            return "\\/"
        return "".join(f"\\u{unit:04{self._random.choice('xX')}}" for unit in _units(character))


class _Object(list[tuple[str, Any]]):
    """Members; a name may be there more than once."""


class _Nested:
    """A value that is written into a text."""

    def __init__(self, value: Any, kind: str) -> None:
        self.value = value
        self.kind = kind


def _units(character: str) -> list[int]:
    raw = character.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(raw[place : place + 2], "big") for place in range(0, len(raw), 2)]


def secret_in(text: str) -> bool:
    """Whether a planted secret can be read in a text, at any level of escapes."""
    for _ in range(12):
        if MARK in text:
            return True
        plain = _HEX.sub(lambda found: chr(int(found[1], 16)), text)
        if plain == text:
            return False
        text = plain
    return MARK in text


@contextmanager
def nothing_skipped() -> Iterator[None]:
    """Look into every name, text and number, and into every record."""
    everything = re.compile(b"")
    with (
        patch.object(Prefilter, "may_find", lambda *_: True),
        patch.object(Skipping, "scan", lambda _, text: (None, [*range(len(text))])),
        patch.object(Untouched, "job", lambda *_: False),
        patch.object(Location, "name_matters", lambda *_: True),
        patch.object(json_pass, "_SIGN", everything),
        patch.object(redactor, "_SHORT", 0),
    ):
        yield


class Attack:
    """Redacts random documents by each set of rules, and collects what is wrong."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        rules = [RULES.validate_python(each) for each in RULE_SETS]
        self._quick = [Redaction(each, key=KEY) for each in rules]
        with patch.dict(PATTERNS, {name: pattern._replace(is_whole=None) for name, pattern in PATTERNS.items()}):
            self._slow = [Redaction(each, key=KEY) for each in rules]
        self._reports: list[Any] = []
        self._dry = [Redaction(each, key=KEY, on_change=self._reports.append) for each in rules]

    def wrong(self) -> str | None:
        """Try one document, and describe what is wrong with its redaction, if anything is."""
        number = self._random.randrange(len(RULE_SETS))
        writer = Writer(self._random, emails=any(rule.get("value") == "email" for rule in RULE_SETS[number]))
        text = writer.document()
        job = record(error=writer.words(), lines=[line(input=text)])
        given = f"rules {number}, input {text!r}, error {job.error!r}"
        with patch.object(skipping, "_MIN_TEXT", 0):
            quick = _tried(self._quick[number].job, job)
        with nothing_skipped():
            slow = _tried(self._slow[number].job, job)
        if quick != slow:
            return f"{given}: {quick!r} is not {slow!r}"
        self._reports.clear()
        dry = _tried(self._dry[number].job, job)
        if quick != dry or (bool(self._reports) != (quick != job) and not isinstance(quick, str)):
            return f"{given}: the dry run differs: {dry!r}"
        if isinstance(quick, str) or quick.lines is None:
            return f"{given}: {quick}"
        for left in (str(quick.lines[0].input), quick.error or "", repr([each.path for each in self._reports])):
            if secret_in(left):
                return f"{given}: left {left!r}"
        return None


def _tried(redact: Callable[[Any], Any], job: Any) -> Any:
    try:
        return redact(job)
    except BadRecordError as bad:
        return str(bad)


def main() -> int:
    """Run as many documents as asked, print what is wrong, and return how much was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    attack = Attack(asked.seed)
    wrong = 0
    for number in range(asked.documents):
        if description := attack.wrong():
            wrong += 1
            print(f"document {number}: {description}")
            if wrong == 10:
                break
    print(f"{wrong} wrong of {number + 1} documents, seed {asked.seed}")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
