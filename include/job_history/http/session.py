"""What every HTTP client here has in common."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import requests
from requests.adapters import HTTPAdapter


def one_connection() -> requests.Session:
    """Return a session that keeps one connection and does not retry on its own.

    urllib3's retries write the URL into the log, which may be a secret.
    """
    session = requests.Session()
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=1, max_retries=0))
    return session


def seconds_of(retry_after: str | None, now: float) -> float | None:
    """Read Retry-After, which has seconds or a date (RFC 9110, 10.2.3); None where it has neither."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(parsedate_to_datetime(retry_after).timestamp() - now, 0.0)
    except ValueError:
        return None
