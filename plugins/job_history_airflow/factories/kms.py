"""A key that AWS KMS keeps, used through an Airflow connection of type `aws`."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from job_history.errors import PermanentError, TransientError
from job_history_airflow.factories.connections import connection_errors, find_connection

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

    from job_history.seals.signer import Signer

_TIMEOUTS = {"connect_timeout": 10, "read_timeout": 20, "retries": {"total_max_attempts": 3}}
_OPERATIONS = {"GetPublicKey", "Sign"}
# Answers of KMS with status 400 that pass by themselves.
_PASSING = ("Throttl", "LimitExceeded", "DependencyTimeout", "KeyUnavailable")
_FIRST_SERVER_ERROR = 500


def kms_signer(key_id: str, conn_id: str, named_by: str) -> Signer:
    """Ask KMS for the public key, and return its signer. `named_by`: what names the connection, for messages.

    Raises PermanentError or TransientError, here and when it signs.
    """
    from airflow.providers.amazon.aws.hooks.base_aws import AwsGenericHook
    from botocore.config import Config

    from job_history.seals.signer import GuardedSigner, KmsSigner
    from job_history_airflow.factories.s3 import quiet_about_credentials

    find_connection(conn_id, named_by)
    quiet_about_credentials()
    with _kms_errors(conn_id, named_by):
        hook: Any = AwsGenericHook(aws_conn_id=conn_id, client_type="kms", config=Config(**_TIMEOUTS))
        signer = KmsSigner(hook.get_conn(), key_id)
    return GuardedSigner(signer, functools.partial(_kms_errors, conn_id, named_by))


@contextmanager
def _kms_errors(conn_id: str, named_by: str) -> Iterator[None]:
    """Convert what the hook, boto3 and KMS raise: a refusal of KMS is none of the credentials."""
    from botocore.exceptions import ClientError

    with connection_errors(conn_id, named_by):
        try:
            yield
        except ClientError as error:
            if error.operation_name not in _OPERATIONS:
                raise
            raise _refusal(error) from None


def _refusal(error: ClientError) -> PermanentError | TransientError:
    from job_history.storage.problems import quoted

    answer: dict[str, Any] = error.response.get("Error", {})
    code, status = str(answer.get("Code", "")), int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    words = quoted(f"{status} {code}: {answer.get('Message', '')}")
    detail = f"KMS answered {error.operation_name} with {words}"
    if status >= _FIRST_SERVER_ERROR or any(part in code for part in _PASSING):
        return TransientError(f"{detail}. The next report tries again.")
    return PermanentError(
        f"{detail}. The key must be enabled, in the region of the connection, and its policy must allow the "
        "connection's identity kms:Sign and kms:GetPublicKey."
    )
