"""A request to the pages, with who makes it and a session to Airflow's database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.common.db.common import SessionDep
from fastapi import Depends, Request, Response
from sqlalchemy.orm import Session

from job_history_airflow.ui.access import Editor, Viewer
from job_history_airflow.ui.forms import Form, Posted
from job_history_airflow.ui.rendering import rendered


@dataclass(frozen=True)
class RequestContext:
    """Somebody who may see the pages. `posted` is what an editor has sent."""

    request: Request
    user: BaseUser
    session: Session
    posted: Form

    def shown(self, template: str, *, code: int = 200, **values: Any) -> Response:
        return rendered(self.request, template, status=code, **values)


def _visitor(request: Request, user: Viewer, session: SessionDep) -> RequestContext:
    return RequestContext(request, user, session, {})


def _editing(request: Request, user: Editor, session: SessionDep) -> RequestContext:
    return RequestContext(request, user, session, {})


def _posting(request: Request, user: Editor, session: SessionDep, posted: Posted) -> RequestContext:
    return RequestContext(request, user, session, posted)


Visit = Annotated[RequestContext, Depends(_visitor)]
EditorsVisit = Annotated[RequestContext, Depends(_editing)]
Post = Annotated[RequestContext, Depends(_posting)]
