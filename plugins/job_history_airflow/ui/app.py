"""The app that serves the pages.

Airflow's API server mounts it and does not authenticate its requests: each route must.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette import status
from starlette.exceptions import HTTPException

from job_history import __version__
from job_history.errors import ReplicationError
from job_history_airflow.ui import assets
from job_history_airflow.ui.access import Viewer
from job_history_airflow.ui.rendering import render_template
from job_history_airflow.ui.setup import pages as setup_pages
from job_history_airflow.ui.status import api
from job_history_airflow.ui.status import pages as status_pages

# No content of other origins and no inline scripts: a script in a job's title could not run even if it were not
# escaped.
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

MAX_REASONS = 5

log = logging.getLogger(__name__)


def build_app() -> FastAPI:
    """Make the app. FastAPI's documentation pages are off: they load scripts of other origins and require no token."""
    app = FastAPI(
        title="Job history replication",
        description="The state of each account's replication, as the page Replication status shows it. Read only.",
        version=__version__,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
    )
    app.include_router(assets.router)
    app.include_router(setup_pages.router)
    app.include_router(status_pages.router)
    app.include_router(api.router)
    app.add_api_route("/openapi.json", _openapi_of(app), include_in_schema=False)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_parameter)
    app.add_exception_handler(ReplicationError, _on_replication_error)
    app.middleware("http")(_with_security_headers)
    return app


def _openapi_of(app: FastAPI) -> Callable[..., dict[str, Any]]:
    def openapi(user: Viewer) -> dict[str, Any]:  # noqa: ARG001 - for the check of rights
        documented = app.openapi()
        documented.setdefault("components", {}).setdefault("schemas", {}).update(api.SCHEMAS)
        return documented

    return openapi


async def _with_security_headers(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await answer(request)
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - as it was registered
    return _error_page(request, error.status_code, str(error.detail), error.headers)


async def _on_invalid_parameter(request: Request, error: Exception) -> Response:
    """Name the parameters and what is wrong with them. FastAPI's own answer repeats the values, at whatever length."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - as it was registered
    reasons = "; ".join(f"{_parameter(each['loc'])}: {each['msg']}" for each in error.errors()[:MAX_REASONS])
    return _error_page(request, status.HTTP_422_UNPROCESSABLE_CONTENT, f"The address cannot be used. {reasons}.", None)


async def _on_replication_error(request: Request, error: Exception) -> Response:
    """Log the error, and name no path or setting that is in it: every viewer gets this page."""
    log.error("%s %s cannot be answered: %s", request.method, request.url.path, error)
    message = "The ledger or the settings cannot be read now. The log of Airflow's API server has the error."
    return _error_page(request, HTTPStatus.SERVICE_UNAVAILABLE, message, None)


def _parameter(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location[1:])


def _error_page(request: Request, code: int, message: str, headers: Any) -> Response:
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"detail": message}, code, headers)
    page = render_template(
        request, "error.html", status=code, code=code, message=message, phrase=HTTPStatus(code).phrase
    )
    page.headers.update(headers or {})
    return page
