"""The bodies of answers. The documents quote the one for 429; the others follow the form of the vendor's own mock."""

from __future__ import annotations

import msgspec
from aiohttp import web

from .faults import Fault

_TEXTS = {
    400: ("request:invalid", "The request cannot be read."),
    401: ("unauthorized", "Missing or invalid URL token."),
    403: ("forbidden", "Access to this resource is denied."),
    404: ("not:found", "There is no such resource."),
    408: ("request:timeout", "The request was accepted, but timed out processing."),
    413: ("request:large", "The request is too large."),
    503: ("service:unavailable", "The request was rejected due to server issues."),
    504: ("gateway:timeout", "The request was rejected due to a server issue."),
}
_THROTTLED = "You have temporarily exceeded your Sumo Logic quota. Please try again at a later time"


def error(status: int, message: str | None = None) -> web.Response:
    """An answer that names what is wrong with the request."""
    if status == 429:
        return web.Response(status=status, text=message or _THROTTLED)
    code, usual_message = _TEXTS.get(status, ("error", f"The request ended with status {status}."))
    document = {"id": f"LOCAL-{status}", "errors": [{"code": code, "message": message or usual_message}]}
    return web.Response(status=status, body=msgspec.json.encode(document), content_type="application/json")


def scripted(fault: Fault) -> web.Response:
    """The answer that a fault asks for; the usual one for its status unless it has a body of its own."""
    usual = error(fault.status) if fault.status >= 400 and fault.body is None else web.Response(status=fault.status)
    if fault.body is not None:
        usual.body = fault.body.encode()
    usual.headers.update(fault.headers)
    return usual
