"""Credentials of a boto3 session for another client than boto3."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from job_history.errors import PermanentError
from job_history.errors.code import Code
from job_history.errors.masking import Masker, secret_masker

if TYPE_CHECKING:
    from obstore.store import S3Credential

# obstore asks again 5 minutes before the end that it was given, so it asks each minute. botocore knows the true end of
# a role's session, and renews it 15 minutes before: what it gives is always valid for longer than a minute.
GIVEN_FOR = timedelta(minutes=6)


class SessionCredentials:
    """The session's credentials, as they are now; called, it returns them as obstore takes them."""

    def __init__(self, session: Any) -> None:
        """Raises PermanentError if the session has none, or has some that cannot be sent."""
        self._credentials = session.get_credentials()
        if self._credentials is None:
            raise PermanentError(
                "The connection has no credentials, and this machine has none either. Give the connection an access "
                "key, or a role to assume.",
                code=Code.S3_NO_CREDENTIALS,
                detail="neither the connection nor this machine has any",
            )
        self._frozen()

    def __call__(self) -> S3Credential:
        frozen = self._frozen()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + GIVEN_FOR,
        }

    def masker(self) -> Masker:
        """Return what takes the credentials out of a text. The id of a key stays, unless it looks like Amazon's."""
        try:
            frozen = self._credentials.get_frozen_credentials()
        except Exception:  # noqa: BLE001 - without credentials, none were sent
            return str
        return secret_masker(frozen.secret_key, frozen.token)

    def _frozen(self) -> Any:
        frozen = self._credentials.get_frozen_credentials()
        named = {"access key": frozen.access_key, "secret key": frozen.secret_key, "session token": frozen.token}
        for name, value in named.items():
            # A header takes nothing else, and the client in Rust panics at it.
            if value and not (value.isascii() and value.isprintable() and " " not in value):
                raise PermanentError(
                    f"The {name} of the connection holds a space, a line break or another character that no {name} "
                    "has. Enter it again.",
                    code=Code.S3_NO_CREDENTIALS,
                    detail=f"the {name} holds a space, a line break or another character that none has",
                )
        return frozen
