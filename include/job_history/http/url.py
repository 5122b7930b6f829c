"""The check that every URL of an HTTP connection passes, because it carries a secret or is sent one."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from job_history.errors import PermanentError

_OWN_MACHINE = {"127.0.0.1", "::1", "localhost"}
_NOT_IN_URLS_OR_TOKENS = re.compile(r"[^!-~]")


def has_wrong_characters(text: str) -> bool:
    """Return whether a URL or token has spaces, line ends, or characters outside of ASCII."""
    return _NOT_IN_URLS_OR_TOKENS.search(text) is not None


def checked_url(url: str, *, field: str, holds: str, remedy: str) -> SplitResult:
    """Split the URL of a connection's `field`. `holds` names what belongs there, `remedy` ends each message.

    Raises:
        PermanentError: it is no URL of a host, has credentials, a query or a fragment, or is not `https://` (which only
            a
            server on this machine may be). The message shows nothing of the URL.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or has_wrong_characters(url) or "@" in parts.netloc or parts.query or parts.fragment:
        raise PermanentError(f"The connection's {field} holds no {holds}. {remedy}")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _OWN_MACHINE):
        raise PermanentError(
            f"The {holds} in the connection's {field} does not begin with https://, so that others on the network "
            f"could read the secret. {remedy}"
        )
    return parts
