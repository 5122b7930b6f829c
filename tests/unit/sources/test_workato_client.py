"""The client of the platform's API: its base URL, its waits, its errors, and that it shows no token."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from job_history.errors import PermanentError, TransientError
from job_history.errors.code import Code
from job_history.http.session import http_session
from job_history.model.window import Window
from job_history.sources.workato import (
    Endpoint,
    Unlimited,
    WorkatoClient,
    WorkatoSource,
    endpoint_of,
)
from job_history.sources.workato.recipes import Recipe
from simulators.workato import Fault, LocalWorkato, SampleRecipe, Workspace, local_workato, throttled

TOKEN = "CANARY-token/0123456789=="
NOON = datetime(2018, 5, 21, 12, tzinfo=UTC)
HOUR = Window(NOON, NOON + timedelta(hours=1))


@pytest.fixture
def api() -> Iterator[LocalWorkato]:
    workspace = Workspace(user_id=5234, token=TOKEN, recipes=[SampleRecipe(recipe_id=7)])
    with local_workato(workspaces=[workspace], now=HOUR.end) as running:
        yield running


def client_of(
    api: LocalWorkato, *, token: str = TOKEN, waits: list[float] | None = None, jitter: float = 0
) -> WorkatoClient:
    sleep = (lambda _: None) if waits is None else waits.append
    return WorkatoClient(
        Endpoint(api.url, token),
        http_session(),
        Unlimited(),
        sleep=sleep,
        clock=lambda: NOON.timestamp(),  # noqa: PLW0108 - of the same kind as time.time
        jitter=lambda: jitter,
    )


# Base URL


@pytest.mark.parametrize(
    ("host", "port", "base_url"),
    [
        (None, None, "https://www.workato.com"),
        ("", None, "https://www.workato.com"),
        ("app.eu.workato.com", None, "https://app.eu.workato.com"),
        ("https://app.eu.workato.com/api/", None, "https://app.eu.workato.com"),
        ("https://app.eu.workato.com/", 8443, "https://app.eu.workato.com:8443"),
        ("http://127.0.0.1:8080", None, "http://127.0.0.1:8080"),
        ("http://localhost", 8080, "http://localhost:8080"),
    ],
)
def test_the_base_url_is_the_host_s(host: str | None, port: int | None, base_url: str) -> None:
    endpoint = endpoint_of(host=host, password=f" Bearer {TOKEN}\n", port=port)

    assert (endpoint, endpoint.url("recipes")) == (Endpoint(base_url, TOKEN), f"{base_url}/api/recipes")


@pytest.mark.parametrize(
    ("host", "password", "detail"),
    [
        (None, None, "The connection has no password, where the API token belongs."),
        (None, "  ", "The connection has no password, where the API token belongs."),
        (None, f"{TOKEN} {TOKEN}", "The connection's password holds characters (spaces, line ends) that no token has."),
        ("http://www.workato.com", TOKEN, "The base URL in the connection's host does not begin with https://"),
        (f"https://me:{TOKEN}@www.workato.com", TOKEN, "The connection's host holds no base URL."),
        ("https://www.workato.com?a=1", TOKEN, "The connection's host holds no base URL."),
        ("https://www.workato.com:port", TOKEN, "The connection's host holds no base URL."),
        ("https://", TOKEN, "The connection's host holds no base URL."),
    ],
)
def test_a_connection_that_cannot_be_used_is_refused(host: str | None, password: str | None, detail: str) -> None:
    with pytest.raises(PermanentError) as raised:
        endpoint_of(host=host, password=password)

    assert str(raised.value).startswith(detail)
    assert "CANARY" not in str(raised.value)


# Waits


def test_retry_after_lengthens_the_waits_in_seconds_and_as_a_date(api: LocalWorkato) -> None:
    waits: list[float] = []
    date = format_datetime(NOON + timedelta(seconds=42), usegmt=True)
    api.script([throttled(retry_after="20"), throttled(retry_after=date), throttled(retry_after="soon")])

    client = client_of(api, waits=waits, jitter=0.5)
    client.get("recipes")

    # A header without meaning counts as none: the third wait is the back-off's own, less a random part.
    assert waits == [20.5, 42.5, 45.0]
    assert client.rate_limiter.spent == len(api.requests()) == 4


def test_a_retry_after_of_more_than_five_minutes_is_left_to_the_task_s_next_try(api: LocalWorkato) -> None:
    waits: list[float] = []
    api.script([throttled(retry_after="301")])

    with pytest.raises(TransientError) as raised:
        client_of(api, waits=waits).get("recipes")
    assert (raised.value.code, raised.value.detail) == (Code.WORKATO_BUSY, "answered 429 (Too many requests)")
    assert "asks for a pause of 301 s; this was attempt 1 of 6" in str(raised.value)
    assert "requests_per_minute" in str(raised.value)
    assert (waits, len(api.requests())) == ([], 1)


def test_a_server_that_stays_broken_is_given_up_after_six_attempts(api: LocalWorkato) -> None:
    waits: list[float] = []
    api.script([500] * 7)

    with pytest.raises(TransientError, match=r"answered 500 \(Server error\); this was attempt 6 of 6"):
        client_of(api, waits=waits).get("recipes")
    assert (waits, len(api.requests())) == ([1.0, 2.0, 4.0, 8.0, 16.0], 6)


def test_a_server_that_does_not_listen_is_a_transient_error() -> None:
    with local_workato() as gone:
        pass

    with pytest.raises(TransientError) as raised:
        client_of(gone).get("recipes")
    assert (raised.value.code, raised.value.detail) == (
        Code.WORKATO_UNREACHABLE,
        "could not be reached: no connection",
    )
    assert gone.url in str(raised.value)
    assert raised.value.__cause__ is raised.value.__context__ is None


# Secrets


@pytest.mark.promise("masked-secrets")
@pytest.mark.parametrize("status", [200, 401, 500])
def test_the_token_is_masked_even_if_the_server_repeats_it(
    api: LocalWorkato, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    api.script([Fault(status=status, body=f"you sent Bearer {TOKEN}")] * 6)

    with caplog.at_level(logging.DEBUG), pytest.raises((PermanentError, TransientError)) as raised:
        client_of(api).get("recipes")
    assert "you sent Bearer ***" in str(raised.value)
    assert "CANARY" not in str(raised.value) + caplog.text + repr(Endpoint(api.url, TOKEN))


@pytest.mark.promise("messages-quote-no-values")
def test_an_answer_that_was_cut_short_is_not_quoted(api: LocalWorkato, caplog: pytest.LogCaptureFixture) -> None:
    """It has jobs with a title and an error, which no rule of redaction has seen."""
    api.script([Fault(body='{"items":[{"id":1,"title":"CANARY')] * 6)

    with caplog.at_level(logging.DEBUG), pytest.raises(TransientError) as raised:
        client_of(api).get("recipes")
    assert "answered 200 with no whole JSON object (33 bytes, cut short)" in str(raised.value)
    assert "CANARY" not in str(raised.value) + caplog.text


def test_a_netrc_of_the_machine_does_not_replace_the_token(
    api: LocalWorkato, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    assert json.loads(bytes(client_of(api).me()["id"])) == 5234


def test_a_redirect_is_not_followed_with_the_token(api: LocalWorkato) -> None:
    api.script([Fault(status=307, headers={"Location": f"{api.url}/api/elsewhere"})])

    with pytest.raises(PermanentError, match="answered 307, a redirect"):
        client_of(api).get("recipes")
    assert [request.path for request in api.requests()] == ["/api/recipes"]


# Answers that are none


def read(api: LocalWorkato) -> list[Any]:
    source = WorkatoSource(client_of(api), clock=HOUR.end.timestamp)
    with source.listing(5234, HOUR, line_details=False) as listing:
        return list(listing)


RECIPES = json.dumps({"items": [{"id": 7, "last_run_at": "2018-05-21T12:30:00Z"}]})


def page(*ids: int) -> str:
    jobs = [{"id": i, "started_at": "2018-05-21T12:30:00Z", "completed_at": "2018-05-21T12:30:01Z"} for i in ids]
    return json.dumps({"items": jobs})


def test_a_job_list_that_turns_in_a_circle_ends_with_an_error(api: LocalWorkato) -> None:
    api.script(
        [
            Fault(body=RECIPES, path=r"recipes\?"),
            *(Fault(body=page(*ids), path="/jobs") for ids in ((4, 3), (2, 1), (4, 3))),
        ]
    )
    with pytest.raises(TransientError) as raised:
        read(api)
    assert "the job list of recipe 7 turns in a circle (a page ends with job 3" in str(raised.value)


def test_a_recipe_list_that_turns_in_a_circle_ends_with_an_error(api: LocalWorkato) -> None:
    api.script([Fault(body=RECIPES)] * 2)
    with pytest.raises(
        TransientError, match="gave recipes from 7 up when asked for those below 7, so that listing them"
    ):
        read(api)


@pytest.mark.parametrize("body", ['{"recipes": []}', '{"items": {}}', '{"items": [{"id": "seven"}]}'])
def test_recipes_that_are_not_listed_as_documented_fail_at_once(api: LocalWorkato, body: str) -> None:
    api.script([Fault(body=body)])
    with pytest.raises(PermanentError, match=r"lists recipes in a way that is not documented: .* Nothing was read"):
        read(api)


@pytest.mark.parametrize("body", ["{}", '{"items": 1}', '{"items": [1]}', '{"items": [], "job_failed_count": "none"}'])
def test_jobs_that_are_not_listed_as_documented_fail_at_once(api: LocalWorkato, body: str) -> None:
    api.script([Fault(body=RECIPES, path=r"recipes\?"), Fault(body=body, path="/jobs")])
    with pytest.raises(
        PermanentError, match=r"lists the jobs of recipe 7 in a way that is not documented: .* Nothing was"
    ):
        read(api)


@pytest.mark.parametrize("body", ["", "null", "[]", "<html>Sign in</html>", '{"items": ['])
def test_a_200_without_a_whole_json_object_is_tried_again(api: LocalWorkato, body: str) -> None:
    api.script([Fault(body=body)])
    assert read(api) == []
    assert len(api.requests()) > 1


def test_a_token_that_sees_none_of_a_workspace_s_recipes_is_no_quiet_hour(api: LocalWorkato) -> None:
    api.script([Fault(body='{"items": []}')])
    with pytest.raises(PermanentError, match=r"lists no recipes, but counts 1\. The role of the token"):
        read(api)


# Which recipes can have news

DAY = timedelta(hours=24)


@pytest.mark.parametrize(
    ("recipe", "can"),
    [
        (Recipe(1, 5, 0, "2018-05-21T12:30:00Z"), True),
        (Recipe(1, 5, 0, "2018-05-21T15:00:00Z"), True),
        (Recipe(1, 5, 0, "2018-05-20T12:00:00Z"), True),
        (Recipe(1, 5, 0, "2018-05-20T05:00:00-07:00"), True),
        (Recipe(1, 5, 0, "2018-05-20T11:59:59.999Z"), False),
        (Recipe(1, 0, 0, None), False),
        (Recipe(1, 0, 0, "2018-05-21T12:30:00Z"), True),
        (Recipe(1, 1, 0, None), True),
        (Recipe(1, None, None, None), True),
        (Recipe(1, 5, 0, "yesterday"), True),
    ],
)
def test_a_recipe_is_left_out_only_where_it_can_have_no_news(recipe: Recipe, can: bool) -> None:
    assert recipe.can_have_news(HOUR, DAY) is can
