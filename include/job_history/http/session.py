"""A `requests` session whose credentials, certificate authorities and proxies follow rules that are written down here.

Credentials are those of the call alone: `~/.netrc` is never read, and a redirect is never followed, because either
could send a secret to a host that it was not meant for. docs/workato.md and docs/sumo-logic.md state the rules for
users.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import requests
from requests.utils import get_environ_proxies

from job_history.errors import PermanentError
from job_history.errors.quoting import quoted
from job_history.http.deadline import Deadline, EndableAdapter

# The first one that is set counts. The last two are OpenSSL's own, which other programs of the machine obey.
CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")

# From the first byte that is sent to the last one of the answer.
MAX_SECONDS = 300.0
# No more of an answer is read. Of a POST a message quotes the beginning.
MAX_BYTES, MAX_BYTES_OF_A_POST = 250_000_000, 64_000


def http_session(
    *, verify: object = None, environment: Mapping[str, str] = os.environ, max_seconds: float | None = None
) -> requests.Session:
    """Return a session that keeps one connection and does not retry on its own.

    urllib3's own retries write the URL, which may be a secret, into the log.

    `verify`: a PEM file (or a directory that OpenSSL can use) with the certificate authorities to trust; None or True
    for those of the first of `CA_VARIABLES` that is set, and otherwise those that come with `requests`.
    `max_seconds`: of one request, from its first byte to the last one of the answer; None for MAX_SECONDS.

    Raises:
        PermanentError: `verify` is something else, or the file cannot be used.
    """
    session = _Session()
    session.max_seconds = MAX_SECONDS if max_seconds is None else max_seconds
    session.trust_env = False
    session.verify = _certificate_authorities(verify, environment)
    for scheme in ("https://", "http://"):
        session.mount(scheme, EndableAdapter())
    return session


class _Session(requests.Session):
    max_seconds: float

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        # HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, in capitals or not, as they are at the time of the request.
        proxies = get_environ_proxies(request.url or "")
        with Deadline(self, self.max_seconds):
            response = super().send(
                request, **{**options, "proxies": proxies, "allow_redirects": False, "stream": True}
            )
            response._content = _beginning(response, MAX_BYTES if request.method == "GET" else MAX_BYTES_OF_A_POST)  # noqa: SLF001
        return response


def _beginning(response: requests.Response, size: int) -> bytes:
    """Read an answer, or so much of it: it may be of any size."""
    read = bytearray()
    for piece in response.iter_content(64_000):
        read += piece
        if len(read) >= size:
            response.close()
            break
    return bytes(read)


def _certificate_authorities(verify: object, environment: Mapping[str, str]) -> bool | str:
    """Return what `requests` takes as `verify`; checked here, because it reports a missing file as a broken
    connection.
    """
    if isinstance(verify, str) and verify:
        return _usable(verify, "`verify` in the connection's extra")
    if verify is not None and verify is not True and verify != "":
        raise PermanentError(
            f"`verify` in the connection's extra is {quoted(verify)}: give the path of a PEM file with the certificate "
            "authorities to trust. Certificates are always checked, because requests carry a secret."
        )
    for name in CA_VARIABLES:
        if path := environment.get(name):
            return _usable(path, f"the environment variable {name}")
    return True


def _usable(path: str, named_by: str) -> str:
    try:
        if Path(path).is_dir():
            return path
        _load_certificates(path, Path(path).stat().st_mtime_ns)
    except OSError as error:  # ssl.SSLError is one
        problem = error.strerror or "it holds no PEM certificate"
        raise PermanentError(
            f"The file of certificate authorities {path!r}, which {named_by} names, cannot be used: {problem}. Correct "
            "the path, or remove the setting."
        ) from None
    return path


@lru_cache(maxsize=8)
def _load_certificates(path: str, _modified: int) -> None:
    """Raise OSError if OpenSSL cannot use the file. Cached, because the machine's authorities take 20 ms to load."""
    ssl.create_default_context(cafile=path)
