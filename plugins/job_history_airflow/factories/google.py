"""From a `google_cloud_platform` connection to credentials and endpoint, by google-auth.

Not by Google's provider: its release of today cannot be installed beside Airflow 3.3 (both pin tenacity and protobuf).
What its hook would read of the connection and this does not is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from job_history.accounts.destination_settings import GoogleStorageDestinationSettings
from job_history.errors import PermanentError
from job_history.errors.masking import secret_masker
from job_history.http.url import checked_url
from job_history.storage.object_store.access import StoreAccess
from job_history.storage.object_store.problems import AWAY
from job_history_airflow.factories.connections import (
    connection_errors,
    connection_of_type,
    needs_extra,
    secrets_of,
)

CONNECTION_TYPE = "google_cloud_platform"
_ENDPOINT = "https://storage.googleapis.com"
_SCOPES = ["https://www.googleapis.com/auth/devstorage.read_write"]
# Extras of the provider's hook that choose other credentials.
_NOT_READ = (
    "key_secret_name",
    "key_secret_project_id",
    "impersonation_chain",
    "idp_issuer_url",
    "idp_extra_parameters",
)


def google_access(settings: GoogleStorageDestinationSettings, label: str) -> StoreAccess:
    """Return how an account's connection reaches its bucket. Raises PermanentError or TransientError."""
    return google_bucket_access(settings.conn_id, settings.bucket, f"destination.conn_id of account {label}")


def google_bucket_access(conn_id: str, bucket: str, named_by: str) -> StoreAccess:
    """Return how a connection reaches a bucket.

    Credentials, by extra: `keyfile_dict`, `key_path` or `credential_config_file`, each of any kind that google-auth
    knows; `is_anonymous`; without, those of this machine. `endpoint_url`: such as that of Private Service Connect.
    """
    connection = connection_of_type(conn_id, CONNECTION_TYPE, named_by)
    prefix = "extra__google_cloud_platform__"
    extra = {name.removeprefix(prefix): value for name, value in connection.extra_dejson.items()}
    key = extra.get("keyfile_dict") or ""
    text = key if isinstance(key, str) else json.dumps(key)
    with connection_errors(conn_id, named_by), needs_extra("google", named_by):
        url = str(extra.get("endpoint_url") or _ENDPOINT)
        checked_url(url, field="extra endpoint_url", holds="URL", remedy="Correct it, or leave it out.")
        if not isinstance(anonymous := extra.get("is_anonymous") or False, bool):
            raise PermanentError("its extra is_anonymous is neither true nor false. Correct it.")
        private = json.loads(text or "{}").get("private_key")
        credentials = None if anonymous else _credentials(extra, text)
        return StoreAccess(
            container=bucket,
            url=url,
            credentials=None if credentials is None else lambda: _token_of(credentials),
            mask=secret_masker(*secrets_of(connection), text, private),
        )


def _credentials(extra: Mapping[str, Any], keyfile: str) -> Any:
    import google.auth

    auth: Any = google.auth  # it has no types for these functions

    if unread := [name for name in _NOT_READ if extra.get(name)]:
        raise PermanentError(
            f"its extra {unread[0]!r} is not supported. Name the credentials by keyfile_dict or key_path."
        )
    if keyfile:
        return auth.load_credentials_from_dict(json.loads(keyfile), scopes=_SCOPES)[0]
    if path := extra.get("key_path") or extra.get("credential_config_file"):
        if not isinstance(path, str):
            raise PermanentError("its extra with the path of a key file is no text. Correct it.")
        return auth.load_credentials_from_file(path, scopes=_SCOPES)[0]
    return auth.default(scopes=_SCOPES)[0]


def _token_of(credentials: Any) -> Mapping[str, Any]:
    from google.auth.exceptions import TransportError
    from google.auth.transport.requests import Request

    try:
        credentials.refresh(Request())
    except TransportError as error:
        raise ConnectionError(f"{AWAY}: {type(error).__name__}") from None
    expires_at = credentials.expiry.replace(tzinfo=UTC) if credentials.expiry else None
    return {"token": credentials.token, "expires_at": expires_at}
