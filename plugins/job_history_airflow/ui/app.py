"""The app behind the pages: it is mounted in Airflow's API server, which asks nobody who they are on its behalf."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from job_history import __version__
from job_history.errors import ReplicationError
from job_history_airflow.ui import assets
from job_history_airflow.ui.access import Viewer
from job_history_airflow.ui.rendering import rendered
from job_history_airflow.ui.setup import pages as setup_pages
from job_history_airflow.ui.status import api
from job_history_airflow.ui.status import pages as status_pages

# Nothing from elsewhere and nothing inline: a script in a job's title has nowhere to run, should it ever get that far.
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def build_app() -> FastAPI:
    """Make the app. Its own documentation pages are off: they would load scripts from elsewhere, and ask for no token."""
    app = FastAPI(
        title="Job history replication",
        description="How the replication of each account stands, as the page Replication status shows it. Read only.",
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
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(ReplicationError, _cannot)
    app.middleware("http")(_with_security_headers)
    return app


def _openapi_of(app: FastAPI) -> Callable[..., dict[str, Any]]:
    def openapi(user: Viewer) -> dict[str, Any]:  # noqa: ARG001 - only to ask who it is
        documented = app.openapi()
        documented.setdefault("components", {}).setdefault("schemas", {}).update(api.SCHEMAS)
        return documented

    return openapi


async def _with_security_headers(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await answer(request)
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


async def _refused(request: Request, fault: Exception) -> Response:
    assert isinstance(fault, HTTPException)  # noqa: S101 - as it was registered
    return _told(request, fault.status_code, str(fault.detail), fault.headers)


async def _cannot(request: Request, fault: Exception) -> Response:
    return _told(request, HTTPStatus.SERVICE_UNAVAILABLE, str(fault), None)


def _told(request: Request, code: int, message: str, headers: Any) -> Response:
    if "text/html" not in request.headers.get("accept", ""):
        return JSONResponse({"detail": message}, code, headers)
    page = rendered(request, "error.html", status=code, code=code, message=message, phrase=HTTPStatus(code).phrase)
    page.headers.update(headers or {})
    return page
