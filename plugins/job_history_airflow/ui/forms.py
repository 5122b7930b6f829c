"""What was posted, where it can only have been posted from our own pages: each form carries a token of its user."""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.configuration import conf
from fastapi import Depends, HTTPException, Request, status
from itsdangerous import BadSignature, URLSafeTimedSerializer

from job_history_airflow.ui.access import Editor

TOKEN_FIELD = "csrf_token"  # noqa: S105 - the name of a form's field
TOKEN_SECONDS = 12 * 3600
MAX_FIELDS = 2_000

Form = dict[str, str]


def token_for(user: BaseUser) -> str:
    """Return what a form of this user carries: signed with the API server's key, good for half a day."""
    return _serializer().dumps(user.get_id())


async def _posted(request: Request, user: Editor) -> Form:
    async with request.form(max_fields=MAX_FIELDS, max_files=0) as form:
        posted = {name: value for name, value in form.items() if isinstance(value, str)}
    try:
        token_of = _serializer().loads(posted.pop(TOKEN_FIELD, ""), max_age=TOKEN_SECONDS)
    except BadSignature:
        token_of = None
    if token_of is None or token_of != user.get_id():
        raise HTTPException(
            status.HTTP_403_FORBIDDEN, "This form is too old, or not from this page. Open the page again, then save."
        )
    return posted


Posted = Annotated[Form, Depends(_posted)]


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(conf.get_mandatory_value("api", "secret_key"), salt="job_history_forms")
