"""From a `google_cloud_platform` connection to credentials and endpoint, by google-auth.

Not by Google's provider: its release of today cannot be installed beside Airflow 3.3 (both pin tenacity and protobuf).
What its hook would read of the connection and this does not is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from job_history.errors import PermanentError
from job_history.errors.masking import secret_masker
from job_history.http.url import checked_url
from job_history.storage.object_store.access import StoreAccess
from job_history.storage.object_store.problems import identity_service
from job_history_airflow.factories.connections import connection_errors, connection_of_type, needs_extra, secrets_of

CONNECTION_TYPE = "google_cloud_platform"
_ENDPOINT = "https://storage.googleapis.com"
_SCOPES = ["https://www.googleapis.com/auth/devstorage.read_write"]
# Extras of the provider's hook that choose other credentials.
_NOT_READ = (
    "key_secret_name", "key_secret_project_id", "impersonation_chain", "idp_issuer_url", "idp_extra_parameters",
)  # fmt: skip


def google_access(conn_id: str, bucket: str, named_by: str) -> StoreAccess:
    """Return how a connection reaches a bucket. Raises PermanentError or TransientError.

    Credentials, by extra: `keyfile_dict`, `key_path` or `credential_config_file`, each of any kind that google-auth
    knows; `is_anonymous`; without, those of this machine. `endpoint_url`: such as that of Private Service Connect.
    """
    connection = connection_of_type(conn_id, CONNECTION_TYPE, named_by)
    prefix = "extra__google_cloud_platform__"
    extra = {name.removeprefix(prefix): value for name, value in connection.extra_dejson.items()}
    with connection_errors(conn_id, named_by), needs_extra("google", named_by):
        url = str(extra.get("endpoint_url") or _ENDPOINT)
        checked_url(url, field="extra endpoint_url", holds="URL", remedy="Correct it, or leave it out.")
        if not isinstance(anonymous := extra.get("is_anonymous") or False, bool):
            raise PermanentError("its extra is_anonymous is neither true nor false. Correct it.")
        credentials = None if anonymous else _credentials(extra)
        return StoreAccess(
            container=bucket,
            url=url,
            credentials=None if credentials is None else lambda: _token_of(credentials),
            mask=secret_masker(*secrets_of(connection)),
        )


def _credentials(extra: Mapping[str, Any]) -> Any:
    import google.auth

    auth: Any = google.auth  # it has no types for these functions

    if unread := [name for name in _NOT_READ if extra.get(name)]:
        raise PermanentError(
            f"its extra {unread[0]!r} is not supported. Name the credentials by keyfile_dict or key_path."
        )
    if keyfile := extra.get("keyfile_dict"):
        found = json.loads(keyfile) if isinstance(keyfile, str) else keyfile
        return auth.load_credentials_from_dict(found, scopes=_SCOPES)[0]
    if path := extra.get("key_path") or extra.get("credential_config_file"):
        if not isinstance(path, str):
            raise PermanentError("its extra with the path of a key file is no text. Correct it.")
        return auth.load_credentials_from_file(path, scopes=_SCOPES)[0]
    return auth.default(scopes=_SCOPES)[0]


def _token_of(credentials: Any) -> Mapping[str, Any]:
    from google.auth.exceptions import TransportError
    from google.auth.transport.requests import Request

    with identity_service(lambda error: isinstance(error, TransportError) or getattr(error, "retryable", False)):
        credentials.refresh(Request())
    expires_at = credentials.expiry.replace(tzinfo=UTC) if credentials.expiry else None
    return {"token": credentials.token, "expires_at": expires_at}
