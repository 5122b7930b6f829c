"""What a connection may hold as an HTTP source's address, and that nobody gets to see it."""

from __future__ import annotations

import pytest

from job_history.destinations.sumo_logic import HttpSource, endpoint_of
from job_history.errors import PermanentError
from job_history.http.session import one_connection

TOKEN = "ZaVnC4dhaV1CANARY_token-0123456789=="
RECEIVER = "https://endpoint3.collection.us2.sumologic.com/receiver/v1/http"
URL = f"{RECEIVER}/{TOKEN}"
REMEDY = (
    "Copy it anew from Sumo Logic (Collection > the source > Show URL) into the connection's password, whole; or the URL "
    "without token into its host and the token into its password."
)


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
    ("host", "password", "detail"),
    [
        (None, None, "The connection has no password, where the source's URL belongs."),
        (RECEIVER, " ", "The connection has no password, where the source's URL belongs."),
        (None, TOKEN, "The connection's password holds no URL of an HTTP source."),
        (None, f"{URL} {URL}", "The connection's password holds no URL of an HTTP source."),
        (None, f"{URL}?a=b", "The connection's password holds no URL of an HTTP source."),
        (None, f"https://me:{TOKEN}@h/receiver/v1/http/a", "The connection's password holds no URL of an HTTP source."),
        (None, f"https://[{TOKEN}/receiver", "The connection's password holds no URL of an HTTP source."),
        (None, f"https://host:{TOKEN}/receiver", "The connection's password holds no URL of an HTTP source."),
        (None, RECEIVER, "The URL in the connection's password ends before its token."),
        (None, f"{RECEIVER}/", "The URL in the connection's password ends before its token."),
        (
            None,
            URL.replace("https", "http"),
            "The URL in the connection's password does not begin with https://, and anybody on the way could read it.",
        ),
        (
            URL,
            TOKEN,
            "The URL in the connection's host does not end with /receiver/v1/http. One with a token does not belong there, "
            "because Airflow shows a host to everybody.",
        ),
        (RECEIVER, URL, "The connection has a host, and a password that is no token."),
        ("collectors.sumologic.com", TOKEN, "The connection's host holds no URL of an HTTP source."),
    ],
)
def test_what_cannot_be_used_is_said_without_being_shown(host: str | None, password: str | None, detail: str) -> None:
    with pytest.raises(PermanentError) as refused:
        endpoint_of(host=host, password=password)

    assert str(refused.value) == f"{detail} {REMEDY}"
    assert (refused.value.__cause__, refused.value.__context__) == (None, None)


@pytest.mark.parametrize("endpoint", [endpoint_of(host=None, password=URL), endpoint_of(host=RECEIVER, password=TOKEN)])
def test_nothing_that_is_printed_tells_the_token(endpoint) -> None:  # noqa: ANN001 - the parameter says it
    client = HttpSource(endpoint, one_connection())
    stem = TOKEN.rstrip("=")

    assert stem not in f"{endpoint!r} {endpoint} {client!r} {client}"
    assert endpoint.without_secrets(f"{URL} {TOKEN} {stem}%3D%3D {stem}") in {
        "*** *** *** ***",
        f"{RECEIVER}/*** *** *** ***",
    }
