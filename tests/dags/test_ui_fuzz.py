"""Random requests to each route, made from the app's own OpenAPI document: no error of the server, no large answer."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import permutations, product
from typing import Any
from urllib.parse import urlencode

import psutil
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.schemas import APIOperation

from .ui import Pages, account

FUZZED = settings(
    max_examples=6,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
PATH = {"user_id": "5234", "kind": "jobs", "entry_id": "5234", "name": "style.css"}
MAX_ANSWER_BYTES = 300_000
MAX_SECONDS = 5
MAX_GROWTH_BYTES = 100_000_000


STORED = [account(), account(5235, "Globex"), {"user_id": "broken"}, account(5236, "Twice"), account(5236, "Twice")]
# What is worth trying beside random values of the right and of the wrong type.
EXTREMES = [
    "",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999Z",
    "2018-05-21T00:00:00+23:59",
    "-1",
    "9" * 5_000,
    "\x00",
    "\ud800",
]


def operations() -> list[APIOperation]:
    """Each route of the app, those included that the published document leaves out, with the fields of their forms."""
    from fastapi.openapi.utils import get_openapi

    from job_history_airflow.ui.app import build_app
    from job_history_airflow.ui.setup.account_form import account_form

    routes = build_app().routes
    for route in routes:
        route.include_in_schema = True
    document = get_openapi(title="pages", version="0", routes=routes)
    names = [*account_form().texts_of({}), "redaction.1.about", "redaction.1.form", "redaction.1.action", "redaction"]
    form = {"type": "object", "properties": {name: {"type": "string"} for name in names}}
    for operation in (methods["post"] for methods in document["paths"].values() if "post" in methods):
        operation["requestBody"] = {"content": {"application/x-www-form-urlencoded": {"schema": form}}}
    return [result.ok() for result in schemathesis.openapi.from_dict(document).get_all_operations()]


def extreme_queries(names: set[str]) -> Iterator[str]:
    """Each extreme value of each parameter, beside usable ones; of a window, each pair of extremes."""
    usable = {"start": "2018-05-21T00:00:00Z", "end": "2018-05-21T01:00:00Z"} if "start" in names else {}
    for name, value in product(sorted(names), EXTREMES):
        yield urlencode(usable | {name: value}, errors="surrogatepass")
    for start, end in permutations(EXTREMES, 2) if usable else ():
        yield urlencode({"start": start, "end": end}, errors="surrogatepass")


def request_of(case: Case) -> tuple[str, str, dict[str, Any]]:
    """Return method, path with query, and fields of the form."""
    query = urlencode(case.query or {}, doseq=True, errors="surrogatepass")
    fields = {str(name): str(value) for name, value in case.body.items()} if isinstance(case.body, dict) else {}
    return case.method.upper(), f"{case.formatted_path}?{query}", fields


@pytest.mark.promise("ui-limits")
@pytest.mark.timeout(300)
@pytest.mark.parametrize("user", ["vic", "ona"])
def test_no_request_makes_the_server_fail_or_answer_at_length(pages: Pages, user: str) -> None:
    browser = pages.as_user(user)
    pages.set_accounts(STORED)
    form = browser.form("/setup/accounts/5235") if user == "ona" else {}
    tokens = {name: form[name] for name in ("csrf_token", "loaded") if form}
    before = psutil.Process().memory_info().rss
    answered: Counter[int] = Counter()

    def try_case(case: Case) -> None:
        method, path, fields = request_of(case)
        check(method, path, fields)

    def check(method: str, path: str, fields: dict[str, str]) -> None:
        started = time.monotonic()
        answer = browser.send(method, path, fields | tokens if method == "POST" else None)
        about = f"{method} {path} {fields}"
        assert answer.status_code < 500, about
        assert len(answer.content) < MAX_ANSWER_BYTES, about
        assert time.monotonic() - started < MAX_SECONDS, about
        answered[answer.status_code] += 1
        if answer.status_code == 303:
            pages.set_accounts(STORED)

    for operation in operations():
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            with suppress(Unsatisfiable):
                FUZZED(given(operation.as_strategy(generation_mode=mode))(try_case))()
        for query in extreme_queries({parameter.name for parameter in operation.query}):
            check(operation.method.upper(), f"{operation.path.format(**PATH)}?{query}", {})

    assert answered[200] > 0
    assert answered[422] > 0
    assert psutil.Process().memory_info().rss - before < MAX_GROWTH_BYTES
