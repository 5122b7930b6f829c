"""The address of an HTTP source: a URL that is a credential, or a URL and a token."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import msgspec

from job_history.errors import PermanentError
from job_history.errors.masking import MASK, mask_secrets
from job_history.http.url import checked_url, has_wrong_characters

_RECEIVER = "/receiver/v1/http"
_HOLDS = "URL of an HTTP source"
# At DEBUG they log the path of a request, whose last part is the token.
_LOGGERS_OF_PATHS = ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry")
_REMEDY = (
    "Copy it again from Sumo Logic (Collection > the source > Show URL) into the connection's password, whole; or the "
    "URL without token into its host and the token into its password."
)


@dataclass(frozen=True)
class Endpoint:
    """Requests are posted to `url`; `token` is for the header x-sumo-token, if the URL has none. Neither is shown."""

    url: str = field(repr=False)
    token: str | None = field(repr=False)
    shown: str

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.token is None else {"x-sumo-token": self.token}

    @property
    def secrets(self) -> list[str]:
        """What must not be shown: the URL if it holds the token, and the token with and without its padding."""
        token = self.token or urlsplit(self.url).path.rpartition("/")[2]
        whole_url = [self.url] if self.token is None else []
        # Without the padding it is also found if a proxy has percent-encoded the `=` at its end.
        return [*whole_url, token, unquote(token), token.rstrip("=")]

    def without_secrets(self, text: str) -> str:
        return mask_secrets(text, self.secrets)

    @contextmanager
    def masked_in_logs(self) -> Iterator[None]:
        """Mask the secrets in what the HTTP libraries log of each request."""

        def mask(record: logging.LogRecord) -> bool:
            record.msg, record.args = self.without_secrets(record.getMessage()), None
            return True

        loggers = [logging.getLogger(name) for name in _LOGGERS_OF_PATHS]
        for logger in loggers:
            logger.addFilter(mask)
        try:
            yield
        finally:
            for logger in loggers:
                logger.removeFilter(mask)


def target_of(endpoint: Endpoint, headers: Mapping[str, str]) -> str:
    """Return a name for where, and under which headers, documents go: the same for the same, and no secret."""
    target = msgspec.json.encode([endpoint.url, endpoint.token, dict(headers)], order="deterministic")
    return hashlib.sha256(target).hexdigest()[:16]


def endpoint_of(*, host: str | None, password: str | None) -> Endpoint:
    """Read a connection: the whole URL in `password`, or the URL without token in `host` and the token in `password`.

    Raises PermanentError, which shows nothing of either.
    """
    password = (password or "").strip()
    if not password:
        raise PermanentError(f"The connection has no password, where the source's URL belongs. {_REMEDY}")
    if not (host or "").strip():
        parts = checked_url(password, field="password", holds=_HOLDS, remedy=_REMEDY)
        before, _, token = parts.path.rpartition("/")
        if not token or parts.path == _RECEIVER:
            raise PermanentError(f"The URL in the connection's password ends before its token. {_REMEDY}")
        return Endpoint(url=password, token=None, shown=f"{parts.scheme}://{parts.netloc}{before}/{MASK}")
    url = (host or "").strip().rstrip("/")
    parts = checked_url(url, field="host", holds=_HOLDS, remedy=_REMEDY)
    if not parts.path.endswith(_RECEIVER):
        raise PermanentError(
            f"The URL in the connection's host does not end with {_RECEIVER}. One with a token does not belong there, "
            f"because Airflow shows the host to every user. {_REMEDY}"
        )
    if "/" in password or has_wrong_characters(password):
        raise PermanentError(f"The connection has a host, and a password that is no token. {_REMEDY}")
    return Endpoint(url=url, token=password, shown=url)
