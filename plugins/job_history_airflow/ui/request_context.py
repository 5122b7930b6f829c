"""A request to the pages: its user, a session of Airflow's database, and the form that was posted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session

from job_history_airflow.ui.access import Editor, Reader, Viewer
from job_history_airflow.ui.forms import Form, Posted
from job_history_airflow.ui.rendering import render_template


@dataclass(frozen=True)
class RequestContext:
    """A request of a user who may make it. `posted` is empty unless an editor posted a form."""

    request: Request
    user: BaseUser
    session: Session
    posted: Form

    def render(self, template: str, *, code: int = 200, **values: Any) -> Response:
        return render_template(self.request, template, status=code, **values)


def _of_viewer(request: Request, user: Viewer, session: SessionDep) -> RequestContext:
    return RequestContext(request, user, session, {})


def _of_reader(request: Request, user: Reader, session: SessionDep) -> RequestContext:
    return RequestContext(request, user, session, {})


def _of_editor(request: Request, user: Editor, session: SessionDep) -> RequestContext:
    return RequestContext(request, user, session, {})


def _of_post(request: Request, user: Editor, session: SessionDep, posted: Posted) -> RequestContext:
    return RequestContext(request, user, session, posted)


ViewerRequest = Annotated[RequestContext, Depends(_of_viewer)]
ReaderRequest = Annotated[RequestContext, Depends(_of_reader)]
EditorRequest = Annotated[RequestContext, Depends(_of_editor)]
PostRequest = Annotated[RequestContext, Depends(_of_post)]
