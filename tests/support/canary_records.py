"""Jobs and admin events that have a canary in every field that can hold a text."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any

from tests.support.canary import Canaries

from simulators.job_store import SampleEvent, SampleJob, SampleLine, plain_job

# With these, nothing that is planted here may leave.
RULES: list[dict[str, str]] = [
    {"path": "report.salary", "action": "drop"},
    {"path": "lines[*].output.plain", "action": "hash"},
    {"field": "*secret*", "action": "mask"},
    {"value": "email", "action": "hash"},
    {"value": "card_number", "action": "mask"},
]


def planted_job(canaries: Canaries, user_id: int, hour: datetime, job_id: int) -> SampleJob:
    """A failed job; each canary is named after the account and the field."""
    plant = _Planter(canaries, f"{user_id}")
    job = plain_job(user_id, hour, job_id)
    line = SampleLine(
        user_id=user_id,
        job_id=job_id,
        line_index=0,
        recipe_line_number=1,
        adapter_name="rest",
        adapter_operation="post",
        input=plant.json("line input"),
        output=plant.json("line output"),
        error=plant.text("line error"),
        mask_data=False,
    )
    return job._replace(
        status="failed",
        error_type=plant.text("error type"),
        error=plant.text("error"),
        title=plant.text("title"),
        report=plant.json("report"),
        lines=(line,),
    )


def too_deep_job(canaries: Canaries, user_id: int, hour: datetime, job_id: int) -> SampleJob:
    """One that rules cannot be applied to; the place of that is named by a canary."""
    plant = _Planter(canaries, f"{user_id}")
    deep = "[" * 5_000 + json.dumps({"secret": plant.word("too deep")}) + "]" * 5_000
    job = plain_job(user_id, hour, job_id)
    at = {plant.email("name above what is too deep"): {"text": deep}}
    return job._replace(lines=(job.lines[0]._replace(input=json.dumps(at)),))


def broken_jobs(canaries: Canaries, user_id: int, hour: datetime, first_job_id: int) -> list[SampleJob]:
    """Jobs whose JSON is none, just beside a canary; in PostgreSQL, they need columns of type text."""
    plant = _Planter(canaries, f"{user_id}")
    reports = [
        f'{{"secret":"{plant.word("before bad JSON")}"}} oops',
        f'{{"secret":{plant.word("as bad JSON")}}}',
        f'{{"secret":"{plant.word("in bad JSON")}',
        f'{{"secret":"\\x{plant.word("after a bad escape")}"}}',
    ]
    return [
        plain_job(user_id, hour, job_id)._replace(report=report) for job_id, report in enumerate(reports, first_job_id)
    ]


def planted_event(canaries: Canaries, user_id: int, hour: datetime, event_id: int) -> SampleEvent:
    plant = _Planter(canaries, f"{user_id}")
    return SampleEvent(
        user_id=user_id,
        event_id=event_id,
        event="connection_created",
        details=plant.json("event details"),
        actor=plant.json("event user"),
        team=plant.json("event team"),
        resource=plant.json("event resource"),
        occurred_at=f"{hour:%Y-%m-%dT%H:%M}:05Z",
    )


_MARK = "\ue000"
"""Becomes an escaped quotation mark, as .NET writes them."""


def quotes_escaped(text: str) -> str:
    """JSON as .NET writes it: no quotation mark inside a text is plain.

    The text is one again when it is written as JSON.
    """
    return text.replace('"', "\\u0022")


class _Planter:
    def __init__(self, canaries: Canaries, of: str) -> None:
        self._canaries, self._of = canaries, of

    def word(self, where: str) -> str:
        return self._canaries.word(f"{self._of} {where}")

    def email(self, where: str) -> str:
        return self._canaries.email(f"{self._of} {where}")

    def text(self, where: str) -> str:
        """Words with an address, a card number, and JSON amid them."""
        inner = json.dumps({"client_secret": self.word(f"{where}, JSON amid words")})
        card = self._canaries.card_number(f"{self._of} {where}, card number")
        return f"401 for {self.email(f'{where}, address')} with {card}: {inner} (see the log) {self.words(where)}"

    def json(self, where: str) -> str:
        """An object with canaries at every depth, in texts of JSON, as a name, and encoded under a name with a rule."""
        value: dict[str, Any] = {
            "salary": self.email(f"{where}, salary"),
            "plain": self.email(f"{where}, plain"),
            "api_secret": self.word(f"{where}, by name"),
            "deep": [{"list": [{"SecretKey": [self.word(f"{where}, deep")]}]}],
            "text": json.dumps({"a": json.dumps({"client_secret": self.word(f"{where}, JSON in JSON in a text")})}),
            "escaped": json.dumps(f"{self.email(f'{where}, escaped')}\n"),
            self.email(f"{where}, as a name"): 1,
            "secret_base64": base64.b64encode(f"user:{self.word(f'{where}, in Base64')}".encode()).decode(),
            "card": int(self._canaries.card_number(f"{self._of} {where}, card as a number")),
            "query": f"GET /?mail={self.email(f'{where}, in a URL').replace('@', '%40')}",
            'api_secret"2': self.word(f"{where}, after a quotation mark in a name"),
            "escaped JSON": json.dumps({"secret": self.word(f"{where}, JSON with escaped quotation marks")}).replace(
                '"', _MARK
            ),
            "log": self.words(where),
            "scripts": f"नमस्ते-{self.email(f'{where}, in another script')}",
            "quoted": f'"ada {self.email(f"{where}, quoted local part").replace("@", chr(34) + "@")}',
            "bang": f"ada!{self.email(f'{where}, sign in an address')}",
        }
        return json.dumps(value).replace(json.dumps(_MARK)[1:-1], "\\u0022")

    def words(self, where: str) -> str:
        """JSON in JSON amid words, with escaped quotation marks, in single ones, and cut short."""
        inner = json.dumps({"secret": f"a {self.word(f'{where}, JSON in JSON amid words')} b"})
        escaped = quotes_escaped(json.dumps({"secret": self.word(f"{where}, escaped JSON amid words")}))
        single = f"\"secret\": 'a {self.word(f'{where}, in single quotation marks')} b'"
        cut = json.dumps({"request": json.dumps({"secret": self.word(f"{where}, cut short")})})[:-4]
        return f"400 {json.dumps({'request': inner})} and {escaped} and {single} and {cut}"
