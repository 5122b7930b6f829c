"""Posted forms. Each carries a token of its user, so only our own pages can have posted it."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import parse_qsl

from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.configuration import conf
from fastapi import Depends, HTTPException, Request, status
from itsdangerous import BadSignature, URLSafeTimedSerializer

from job_history_airflow.ui.access import Editor

TOKEN_FIELD = "csrf_token"  # noqa: S105 - the name of a form's field
TOKEN_SECONDS = 12 * 3600
MAX_FIELDS = 5_000
MAX_BYTES = 1_000_000
"""Of a form as it is sent; an account with a thousand redaction rules takes a tenth of it."""

Form = dict[str, str]


def token_for(user: BaseUser) -> str:
    """Return the token for this user's forms: signed with the API server's key, valid for 12 hours."""
    return _serializer().dumps(user.get_id())


async def _posted(request: Request, user: Editor) -> Form:
    posted = _fields_of(await _body_of(request))
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


async def _body_of(request: Request) -> bytes:
    """Read the body. Raises HTTPException as soon as more than MAX_BYTES have arrived."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BYTES:
            raise HTTPException(
                status.HTTP_413_CONTENT_TOO_LARGE, f"The form is larger than {MAX_BYTES:,} bytes. Nothing was saved."
            )
    return bytes(body)


def _fields_of(body: bytes) -> Form:
    """Decode application/x-www-form-urlencoded, which is all that the pages send."""
    try:
        fields = parse_qsl(
            body.decode(errors="replace"), keep_blank_values=True, errors="replace", max_num_fields=MAX_FIELDS
        )
    except ValueError:
        raise HTTPException(
            status.HTTP_422_UNPROCESSABLE_CONTENT, f"The form has more than {MAX_FIELDS:,} fields. Nothing was saved."
        ) from None
    return dict(fields)


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(conf.get_mandatory_value("api", "secret_key"), salt="job_history_forms")
