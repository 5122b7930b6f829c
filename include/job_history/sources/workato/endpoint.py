"""The address of a workspace's API, and its token."""

from __future__ import annotations

from dataclasses import dataclass, field

from job_history.errors import PermanentError
from job_history.errors.masking import mask_secrets
from job_history.http.url import checked_url, has_wrong_characters

DEFAULT_BASE_URL = "https://www.workato.com"
_URL_REMEDY = (
    f"Give the data centre's base URL, such as {DEFAULT_BASE_URL} or https://app.eu.workato.com, or leave it empty for "
    "the first."
)
_REMEDY_FOR_TOKENS = (
    "Put the token of an API client there (Workspace admin > API clients), whose role may list recipes and get jobs."
)


@dataclass(frozen=True)
class Endpoint:
    """`base_url` ends without a slash and without `/api`. The token is never shown."""

    base_url: str
    token: str = field(repr=False)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Accept": "application/json"}

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
    if has_wrong_characters(token):
        raise PermanentError(
            f"The connection's password holds characters (spaces, line ends) that no token has. {_REMEDY_FOR_TOKENS}"
        )
    return Endpoint(_base_url(host, port), token)


def _base_url(host: str | None, port: int | None) -> str:
    text = (host or "").strip() or DEFAULT_BASE_URL
    if "://" not in text:
        text = f"https://{text}"
    parts = checked_url(text, field="host", holds="base URL", remedy=_URL_REMEDY)
    netloc = f"{parts.netloc}:{port}" if port is not None and parts.port is None else parts.netloc
    return f"{parts.scheme}://{netloc}{parts.path.rstrip('/').removesuffix('/api')}"
