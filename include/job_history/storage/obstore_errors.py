"""Why a request by obstore got no answer of a store. obstore gives each error as text only: what happened, and a
debugging form.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from job_history.storage.problems import quoted

CODE = re.compile(r"<Code>([A-Za-z0-9.]+)</Code>")
STATUS = re.compile(r"non-2xx status code: (\d{3})\b")
ODD_KEY = "object with invalid path"
"""Of a listing with a key that has an empty part, `.`, `..` or a control character."""
_CERTIFICATE = re.compile(r"InvalidCertificate\(\s*(\w+)")
_CONNECT = re.compile(r'message: "([^"]+)"')


class ClientFailure(NamedTuple):
    """`code` without the store's own beginning: `NO_ANSWER` is S3_NO_ANSWER or STORE_NO_ANSWER. `detail`: why."""

    code: str
    detail: str


def client_failure_of(text: str) -> ClientFailure:
    """Classify an error, from which credentials are masked, that holds no answer of the store."""
    if "Generic Config error:" in text:
        return ClientFailure("ENDPOINT_UNUSABLE", quoted(before_debug(text)))
    if certificate := first(_CERTIFICATE, text):
        return ClientFailure("TLS_FAILED", certificate)
    if "InvalidMessage(" in text:
        return ClientFailure("TLS_FAILED", "no TLS")
    if "No CA certificates were loaded" in text:
        return ClientFailure(
            "TLS_FAILED", "this machine has no trusted certificates; see SSL_CERT_FILE and SSL_CERT_DIR"
        )
    return _of_the_connection(text)


def _of_the_connection(text: str) -> ClientFailure:
    if "kind: Timeout" in text or "TimedOut" in text:
        return ClientFailure("NO_ANSWER", "no answer in time")
    if "dns error" in text:
        return ClientFailure("NO_ADDRESS", "DNS")
    if "kind: Connect" in text:
        return ClientFailure("UNREACHABLE", first(_CONNECT, text) or "it cannot be reached")
    if "kind: " in text:
        return ClientFailure("NO_ANSWER", "the connection broke")
    return ClientFailure("NO_ANSWER", quoted(before_debug(text)))


def before_debug(text: str) -> str:
    return text.split("Debug source", maxsplit=1)[0]


def first(pattern: re.Pattern[str], text: str) -> str | None:
    """Return the first group of a pattern that the text has."""
    match = pattern.search(text)
    return next((group for group in match.groups() if group), None) if match else None
