"""Checks that the API gives the workspace that the account names: what is read is written under the account's
`user_id`.
"""

from __future__ import annotations

import logging

import msgspec

from job_history.errors import PermanentError
from job_history.errors.catalogue import fix_of
from job_history.errors.code import Code
from job_history.sources.workato.answers import Envelope
from job_history.sources.workato.client import WorkatoClient

log = logging.getLogger(__name__)

_FORBIDDEN = {Code.WORKATO_FORBIDDEN, Code.WORKATO_UNAUTHORIZED, Code.WORKATO_NOT_FOUND}


class WorkspaceCheck:
    """Asks once for each source object, so at most once in a task."""

    def __init__(self, client: WorkatoClient) -> None:
        self._client = client
        self._own: str | None = None
        self._checked: int | None = None

    def ask(self) -> None:
        """Ask for the token's own workspace, which every token may. Raises PermanentError or TransientError."""
        self._own = self._id_in(self._client.me(), "users/me")

    def check(self, user_id: int) -> None:
        """Raise PermanentError if the token, or the customer that it is used for, is of another workspace."""
        if self._checked == user_id:
            return
        found = self._id()
        if found is not None and found != str(user_id):
            detail = f"{self._client} gives the workspace {found}, and the account's user_id is {user_id}"
            code = Code.WORKATO_WRONG_WORKSPACE
            raise PermanentError(f"{detail}. {fix_of(code)}", code=code, detail=detail)
        self._checked = user_id

    def _id(self) -> str | None:
        """Return the workspace's id; None if the token may not ask for a customer that is named by its external id."""
        if not self._client.is_embedded:
            if self._own is None:
                self.ask()
            return self._own
        customer = self._client.managed_user_id or ""
        if customer.isdecimal():
            return customer
        try:
            return self._id_in(self._client.customer(), f"managed_users/{customer}")
        except PermanentError as error:
            if error.code not in _FORBIDDEN:
                raise
            log.warning("Whether customer %s is the account's workspace cannot be checked: %s", customer, error)
            return None

    def _id_in(self, answer: Envelope, path: str) -> str:
        try:
            found = msgspec.json.decode(answer.get("id", b"null"), type=int | str | None)
        except (msgspec.DecodeError, UnicodeDecodeError):
            found = None
        if found is None:
            code, detail = Code.WORKATO_UNDOCUMENTED, f"{self._client} answers {path} without an id"
            raise PermanentError(f"{detail}. {fix_of(code)}", code=code, detail=detail)
        return str(found)
