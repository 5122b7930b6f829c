"""Renders templates. Every value put into them is escaped."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from airflow.api_fastapi.app import API_ROOT_PATH
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_template(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page.

    Every template gets `app`, the path of this app, and `airflow`, that of Airflow, without a slash at the end.
    """
    page = _templates().get_template(template)
    return HTMLResponse(
        page.render(app=request.scope.get("root_path", ""), airflow=API_ROOT_PATH.rstrip("/"), **values), status
    )
