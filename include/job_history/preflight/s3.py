"""The check of a bucket of S3: the probe, then its encryption and the store's clock.

It needs no permission that delivery does not need: s3:PutObject and s3:GetObject, below the account's prefix.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any

from job_history.accounts.account import Account
from job_history.accounts.destination_settings import S3DestinationSettings
from job_history.errors.catalogue import finding_from_error
from job_history.errors.code import Code
from job_history.preflight.check import CHECKS_AT_ONCE
from job_history.preflight.probe import ProbeCheck
from job_history.storage.problems import Attempted
from job_history.storage.s3.access import S3Access
from job_history.storage.s3.boto3_bucket import boto3_client
from job_history.storage.s3.boto3_errors import problem_of_boto3
from job_history.storage.s3.bucket import Bucket
from job_history.storage.s3.open_bucket import open_bucket

log = logging.getLogger(__name__)

# S3 refuses requests whose time is off by more than fifteen minutes; a third of that is already no accident.
CLOCK_OFF = timedelta(minutes=5)
# Someone waits for the answer.
CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 15.0


class ProbingClients:
    """The two clients of a check, for all accounts that reach a bucket in the same way. Safe for use in threads."""

    def __init__(self, access: S3Access) -> None:
        self.access = replace(
            access,
            connect_timeout=min(access.connect_timeout, CONNECT_SECONDS),
            read_timeout=min(access.read_timeout, ANSWER_SECONDS),
        )
        # boto3 makes clients of a session in one thread at a time.
        self._lock = Lock()
        self._bucket: Bucket | None = None
        self._boto3: Any = None

    def bucket(self) -> Bucket:
        """Return the client that delivers. Raises PermanentError or TransientError."""
        with self._lock:
            if self._bucket is None:
                self._bucket = open_bucket(self.access, concurrency=CHECKS_AT_ONCE)
            return self._bucket

    def boto3(self) -> Any:
        with self._lock:
            if self._boto3 is None:
                self._boto3 = boto3_client(self.access, connections=CHECKS_AT_ONCE)
            return self._boto3

    def close(self) -> None:
        if self._boto3 is not None:
            self._boto3.close()


class S3Check(ProbeCheck):
    """obstore does not show how an object is encrypted, nor the store's clock: a HEAD by boto3 asks for both."""

    create_only_ignored = Code.S3_CREATE_ONLY_IGNORED
    other_bytes = Code.S3_OTHER_BYTES

    def __init__(
        self,
        clients: ProbingClients,
        account: Account,
        settings: S3DestinationSettings,
        *,
        now: Callable[[], datetime],
    ) -> None:
        """`settings`: the account's destination."""
        self._clients = clients
        self._access = clients.access
        self._settings = settings
        self._now = now
        about = f"Account {account.label}, bucket {self._access.bucket} at {self._access.endpoint}"
        super().__init__(account, settings, about, clients.bucket)

    def look_further(self) -> None:
        try:
            payer = self._access.options.payer()
            answer = self._clients.boto3().head_object(Bucket=self._access.bucket, Key=self._key, **payer)
        except Exception as error:  # noqa: BLE001 - what renews credentials may raise anything
            if self._settings.server_side_encryption is None:
                log.info("The clock of the store could not be read: %s", type(error).__name__)
                return
            attempted = Attempted("read", self._key, self._access.region)
            mask = self._access.credentials.masker() if self._access.credentials else str
            found = problem_of_boto3(error, mask).error(self._about, attempted)
            self._found.append(finding_from_error(found, self._about))
        else:
            self._look_at_clock(answer)
            self._look_at_encryption(answer.get("ServerSideEncryption"), answer.get("SSEKMSKeyId"))

    def _look_at_encryption(self, method: str | None, key_id: str | None) -> None:
        wanted, wanted_key = self._settings.server_side_encryption, self._settings.kms_key_id
        if wanted is None:
            return
        # The store answers with the key's ARN; an alias does not show in it.
        comparable = wanted_key is not None and "alias/" not in wanted_key
        if method != wanted or (comparable and not (key_id or "").endswith(wanted_key or "")):
            self.add(
                Code.S3_NOT_ENCRYPTED_AS_SET,
                key=self._key,
                found=_encryption(method, key_id if comparable else None),
                wanted=_encryption(wanted, wanted_key if comparable else None),
            )

    def _look_at_clock(self, answer: dict[str, Any]) -> None:
        detail = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
        if detail is None or any(found.code is Code.S3_CLOCK_OFF for found in self._found):
            return
        try:
            off = self._now() - parsedate_to_datetime(detail)
        except (ValueError, TypeError):
            return
        if abs(off) > CLOCK_OFF:
            direction = "ahead of" if off > timedelta() else "behind"
            self.add(Code.S3_CLOCK_OFF, seconds=round(abs(off).total_seconds()), direction=direction)


def _encryption(method: str | None, key_id: str | None) -> str:
    return f"{method} by {key_id}" if key_id else method or "nothing"
