"""From a `wasb` connection to what its hook's client would use: URL and credentials."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from job_history.errors import PermanentError
from job_history.errors.masking import secret_masker
from job_history.http.url import checked_url
from job_history.storage.object_store.access import Credentials, StoreAccess
from job_history.storage.object_store.problems import identity_service
from job_history.storage.problems import TRANSIENT_STATUS
from job_history_airflow.factories.connections import connection_errors, connection_of_type, needs_extra, secrets_of

CONNECTION_TYPE = "wasb"
_SCOPE = "https://storage.azure.com/.default"


def azure_access(conn_id: str, container: str, named_by: str) -> StoreAccess:
    """Return how a connection reaches a container, with the credentials that its hook chooses.

    Raises PermanentError or TransientError.
    """
    connection = connection_of_type(conn_id, CONNECTION_TYPE, named_by)
    with needs_extra("azure", named_by):
        from airflow.providers.microsoft.azure.hooks.wasb import WasbHook
    with connection_errors(conn_id, named_by):
        service = WasbHook(wasb_conn_id=conn_id).get_conn()
        url = urlsplit(service.url)
        signature = str(getattr(service.credential, "signature", url.query)).lstrip("?")
        sig = signature.partition("sig=")[2].partition("&")[0]
        key = getattr(service.credential, "account_key", None)
        plain = urlunsplit((url.scheme, url.netloc, url.path.rstrip("/"), "", ""))
        if key is None:  # a key signs requests; a SAS or a token goes with each
            checked_url(plain, field="host", holds="URL", remedy="Correct it.")
        return StoreAccess(
            container=container,
            url=plain,
            account=service.account_name or "",
            credentials=_credentials_of(service.credential, key, signature),
            # Of a SAS, the store may repeat what it was signed with alone.
            mask=secret_masker(*secrets_of(connection), key, signature, sig, unquote(sig)),
        )


def _credentials_of(credential: Any, key: str | None, signature: str) -> Credentials:
    if key is not None:
        return lambda: {"access_key": key, "expires_at": None}
    if "sig=" in signature:
        return lambda: {"sas_token": signature, "expires_at": None}
    if hasattr(credential, "get_token"):
        return lambda: _token_of(credential)
    raise PermanentError("it gives no credentials: neither a key, nor a SAS, nor an identity. Add one.")


def _token_of(credential: Any) -> Mapping[str, Any]:
    from azure.core.exceptions import ServiceRequestError, ServiceResponseError

    def is_away(error: Exception) -> bool:
        no_answer = isinstance(error, (ServiceRequestError, ServiceResponseError))
        return no_answer or getattr(error, "status_code", None) in TRANSIENT_STATUS

    # Its warnings quote the service's answer, which may repeat the secret; the error has it without.
    logging.getLogger("azure.identity").setLevel(logging.CRITICAL)
    with identity_service(is_away):
        token = credential.get_token(_SCOPE)
    return {"token": token.token, "expires_at": datetime.fromtimestamp(token.expires_on, UTC)}
