"""The forms in which a connection can hold an HTTP source's address, and that its secret is never shown."""

from __future__ import annotations

import pytest

from job_history.destinations.sumo_logic import HttpSource, endpoint_of
from job_history.errors import PermanentError
from job_history.http.session import http_session

TOKEN = "ZaVnC4dhaV1CANARY_token-0123456789=="
RECEIVER = "https://endpoint3.collection.us2.sumologic.com/receiver/v1/http"
URL = f"{RECEIVER}/{TOKEN}"


@pytest.mark.parametrize("password", [URL, f"  {URL}\n"])
@pytest.mark.parametrize("host", [None, "", " "])
def test_the_whole_url_as_password(host: str | None, password: str) -> None:
    endpoint = endpoint_of(host=host, password=password)

    assert (endpoint.url, endpoint.token, endpoint.shown) == (URL, None, f"{RECEIVER}/***")
    assert endpoint.host == "endpoint3.collection.us2.sumologic.com"


@pytest.mark.parametrize("host", [RECEIVER, f"{RECEIVER}/", f" {RECEIVER} "])
def test_the_url_without_token_as_host_and_the_token_as_password(host: str) -> None:
    endpoint = endpoint_of(host=host, password=f"{TOKEN}\n")

    assert (endpoint.url, endpoint.token, endpoint.shown) == (RECEIVER, TOKEN, RECEIVER)


@pytest.mark.parametrize("url", ["http://127.0.0.1:3000/receiver/v1/http/abc", "http://localhost/receiver/v1/http/abc"])
def test_without_tls_on_this_machine_only(url: str) -> None:
    assert endpoint_of(host=None, password=url).url == url


@pytest.mark.parametrize(
    ("host", "password", "field"),
    [
        (None, None, " has no password"),
        (RECEIVER, " ", " has no password"),
        (None, TOKEN, "'s password holds no URL of an HTTP source"),
        (None, f"{URL} {URL}", "'s password holds no URL of an HTTP source"),
        (None, f"{URL}?a=b", "'s password holds no URL of an HTTP source"),
        (None, f"https://me:{TOKEN}@h/receiver/v1/http/a", "'s password holds no URL of an HTTP source"),
        (None, f"https://[{TOKEN}/receiver", "'s password holds no URL of an HTTP source"),
        (None, f"https://host:{TOKEN}/receiver", "'s password holds no URL of an HTTP source"),
        (None, RECEIVER, "'s password ends before its token"),
        (None, f"{RECEIVER}/", "'s password ends before its token"),
        (None, URL.replace("https", "http"), "'s password does not begin with https://"),
        (URL, TOKEN, "'s host does not end with /receiver/v1/http"),
        (RECEIVER, URL, " has a host, and a password that is no token"),
        ("collectors.sumologic.com", TOKEN, "'s host holds no URL of an HTTP source"),
    ],
)
def test_an_unusable_connection_is_refused_without_showing_its_secret(
    host: str | None, password: str | None, field: str
) -> None:
    with pytest.raises(PermanentError) as refused:
        endpoint_of(host=host, password=password)

    assert f"connection{field}" in str(refused.value)
    assert TOKEN.rstrip("=") not in str(refused.value)
    assert (refused.value.__cause__, refused.value.__context__) == (None, None)


@pytest.mark.parametrize("endpoint", [endpoint_of(host=None, password=URL), endpoint_of(host=RECEIVER, password=TOKEN)])
def test_the_token_is_not_shown_when_objects_are_printed(endpoint) -> None:  # noqa: ANN001
    client = HttpSource(endpoint, http_session())
    stem = TOKEN.rstrip("=")

    assert stem not in f"{endpoint!r} {endpoint} {client!r} {client}"
    assert endpoint.without_secrets(f"{URL} {TOKEN} {stem}%3D%3D {stem}") in {
        "*** *** *** ***",
        f"{RECEIVER}/*** *** *** ***",
    }
