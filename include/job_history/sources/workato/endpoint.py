"""Where the API of a workspace is, and the token that opens it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

import requests
from requests.auth import AuthBase

from job_history.errors import PermanentError
from job_history.errors.masking import mask_secrets

DEFAULT_BASE_URL = "https://www.workato.com"
_OWN_MACHINE = {"127.0.0.1", "::1", "localhost"}
_WRONG_CHARACTERS = re.compile(r"[^!-~]")
_URL_REMEDY = (
    f"Give the data centre's base URL, such as {DEFAULT_BASE_URL} or https://app.eu.workato.com, and leave it empty for the "
    "first."
)
_REMEDY_FOR_TOKENS = (
    "Put the token of an API client there (Workspace admin > API clients), whose role may list recipes and get jobs."
)


class BearerToken(AuthBase):
    """Adds the token to each request. As `auth`, so that no .netrc of the machine can replace it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


@dataclass(frozen=True)
class Endpoint:
    """`base_url` ends without a slash and without `/api`. The token is never shown."""

    base_url: str
    token: str = field(repr=False)

    @property
    def auth(self) -> AuthBase:
        return BearerToken(self.token)

    def url(self, path: str) -> str:
        return f"{self.base_url}/api/{path}"

    def without_secrets(self, text: str) -> str:
        return mask_secrets(text, [self.token])


def endpoint_of(*, host: str | None, password: str | None, port: int | None = None) -> Endpoint:
    """Read a connection: base URL in `host` (with or without `https://` and `/api`), token in `password`.

    Raises PermanentError, which shows nothing of the token.
    """
    token = (password or "").strip().removeprefix("Bearer ").strip()
    if not token:
        raise PermanentError(f"The connection has no password, where the API token belongs. {_REMEDY_FOR_TOKENS}")
    if _WRONG_CHARACTERS.search(token):
        raise PermanentError(
            f"The connection's password holds characters (spaces, line ends) that no token has. {_REMEDY_FOR_TOKENS}"
        )
    return Endpoint(_base_url(host, port), token)


def _base_url(host: str | None, port: int | None) -> str:
    text = (host or "").strip() or DEFAULT_BASE_URL
    if "://" not in text:
        text = f"https://{text}"
    parts = _parts(text)
    if parts is None:
        raise PermanentError(f"The connection's host holds no base URL. {_URL_REMEDY}")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _OWN_MACHINE):
        raise PermanentError(
            f"The connection's host does not begin with https://, and anybody on the way could read the token. {_URL_REMEDY}"
        )
    netloc = f"{parts.netloc}:{port}" if port is not None and parts.port is None else parts.netloc
    return f"{parts.scheme}://{netloc}{parts.path.rstrip('/').removesuffix('/api')}"


def _parts(url: str) -> SplitResult | None:
    """Take a URL apart; None where it has anything that a base URL has not."""
    try:
        parts = urlsplit(url)
        _: Any = parts.port
    except ValueError:
        return None
    odd = _WRONG_CHARACTERS.search(url) or "@" in parts.netloc or parts.query or parts.fragment
    return None if odd or not parts.hostname else parts
