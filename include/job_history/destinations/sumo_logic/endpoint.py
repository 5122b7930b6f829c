"""Where an HTTP source takes requests: a URL that is a credential, or a URL and a token beside it."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import SplitResult, unquote, urlsplit

from job_history.errors import PermanentError
from job_history.errors.masking import MASK, mask_secrets

_RECEIVER = "/receiver/v1/http"
_OWN_MACHINE = {"127.0.0.1", "::1", "localhost"}
_WRONG_CHARACTERS = re.compile(r"[^!-~]")
# They write the path of a request, whose last part is the token, at DEBUG.
_LOGGERS_THAT_TELL_PATHS = ("urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry")
_REMEDY = (
    "Copy it anew from Sumo Logic (Collection > the source > Show URL) into the connection's password, whole; or the URL "
    "without token into its host and the token into its password."
)


@dataclass(frozen=True)
class Endpoint:
    """`url` is what is posted to; `token` goes into the header x-sumo-token where the URL has none. Neither is shown."""

    url: str = field(repr=False)
    token: str | None = field(repr=False)
    shown: str

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def secrets(self) -> list[str]:
        """What nobody may read: the URL where it holds the token, and the token with and without its padding."""
        token = self.token or urlsplit(self.url).path.rpartition("/")[2]
        whole_url = [self.url] if self.token is None else []
        # Without the padding it is also found where a proxy has percent-encoded the `=` at its end.
        return [*whole_url, token, unquote(token), token.rstrip("=")]

    def without_secrets(self, text: str) -> str:
        return mask_secrets(text, self.secrets)

    @contextmanager
    def hidden_in_logs(self) -> Iterator[None]:
        """Keep the secrets out of what the HTTP client logs of each request."""

        def hide(record: logging.LogRecord) -> bool:
            record.msg, record.args = self.without_secrets(record.getMessage()), None
            return True

        loggers = [logging.getLogger(name) for name in _LOGGERS_THAT_TELL_PATHS]
        for logger in loggers:
            logger.addFilter(hide)
        try:
            yield
        finally:
            for logger in loggers:
                logger.removeFilter(hide)


def endpoint_of(*, host: str | None, password: str | None) -> Endpoint:
    """Read a connection: the whole URL in `password`, or the URL without token in `host` and the token in `password`.

    Raises PermanentError, which shows nothing of either.
    """
    password = (password or "").strip()
    if not password:
        raise PermanentError(f"The connection has no password, where the source's URL belongs. {_REMEDY}")
    if not (host or "").strip():
        parts = _parts("password", password)
        before, _, token = parts.path.rpartition("/")
        if not token or parts.path == _RECEIVER:
            raise PermanentError(f"The URL in the connection's password ends before its token. {_REMEDY}")
        return Endpoint(url=password, token=None, shown=f"{_origin(parts)}{before}/{MASK}")
    url = (host or "").strip().rstrip("/")
    parts = _parts("host", url)
    if not parts.path.endswith(_RECEIVER):
        raise PermanentError(
            f"The URL in the connection's host does not end with {_RECEIVER}. One with a token does not belong there, "
            f"because Airflow shows a host to everybody. {_REMEDY}"
        )
    if "/" in password or _WRONG_CHARACTERS.search(password):
        raise PermanentError(f"The connection has a host, and a password that is no token. {_REMEDY}")
    return Endpoint(url=url, token=password, shown=url)


def _parts(where: str, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or _WRONG_CHARACTERS.search(url) or "@" in parts.netloc or parts.query or parts.fragment:
        raise PermanentError(f"The connection's {where} holds no URL of an HTTP source. {_REMEDY}")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _OWN_MACHINE):
        raise PermanentError(
            f"The URL in the connection's {where} does not begin with https://, and anybody on the way could read it. {_REMEDY}"
        )
    return parts


def _origin(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc}"
