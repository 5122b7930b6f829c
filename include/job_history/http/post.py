"""One POST of which no more is read than a message may need."""

from __future__ import annotations

from collections.abc import Mapping

import requests

MAX_ANSWER_BYTES = 64_000


def post(
    session: requests.Session, url: str, *, data: bytes, headers: Mapping[str, str], timeout: tuple[float, float]
) -> tuple[requests.Response, bytes]:
    """Post, and return the answer with its body, or the beginning of it: it may be of any size.

    `timeout`: to connect and to read, in seconds. Raises one of `REQUEST_ERRORS` if there is no whole answer.
    """
    response = session.post(url, data=data, headers=dict(headers), timeout=timeout, stream=True)
    read = bytearray()
    for piece in response.iter_content(MAX_ANSWER_BYTES):
        read += piece
        if len(read) >= MAX_ANSWER_BYTES:
            response.close()
            break
    return response, bytes(read)
