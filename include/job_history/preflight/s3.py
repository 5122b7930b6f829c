"""Can the bucket take an account's documents? A small object, the probe, is written and read back as a document would be.

It needs no right that delivery does not need: s3:PutObject and s3:GetObject, below the account's prefix.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from job_history.accounts.account import Account
from job_history.accounts.destination_settings import S3DestinationSettings
from job_history.destinations.s3 import S3Access
from job_history.destinations.s3.errors import hide_credentials
from job_history.errors.catalogue import finding
from job_history.errors.code import Code
from job_history.errors.finding import Finding
from job_history.preflight.s3_client import DEFAULT_REGION, probe_client
from job_history.preflight.s3_errors import Attempted, sorted_fault

PROBES = "_control/probe"
# S3 refuses requests whose time is off by more than fifteen minutes; a third of that is already no accident.
CLOCK_OFF = timedelta(minutes=5)


class S3Check:
    """Writes the probe, create-only where the account is set so, and reads it back.

    Its name and its bytes depend on account and settings alone, so that a second check finds it there and adds no version.
    """

    def __init__(
        self,
        session: Any,
        access: S3Access,
        account: Account,
        settings: S3DestinationSettings,
        *,
        now: Callable[[], datetime],
    ) -> None:
        """`session`: of boto3, with the credentials; `settings`: the account's destination."""
        self._session = session
        self._access = access
        self._settings = settings
        self._now = now
        self._about = f"Account {account.label}, bucket {access.bucket} at {access.endpoint_url or 'Amazon S3'}"
        self._key = probe_key(account, settings)
        self._content = _content(account)
        self._found: list[Finding] = []

    def findings(self) -> list[Finding]:
        """Return what stands in the way; an empty list: nothing."""
        doing = "write"
        try:
            self._client = probe_client(self._session, self._access)
            self._write()
            doing = "read"
            self._compare(self._client.get_object(Bucket=self._access.bucket, Key=self._key))
        except (BotoCoreError, ClientError, ValueError) as fault:
            attempted = Attempted(doing, self._key, self._access.region or DEFAULT_REGION)
            self._found.append(sorted_fault(fault, self._about, attempted, hide_credentials(self._access.credentials)))
        return self._found

    def _write(self) -> None:
        if self._settings.write_mode == "overwrite":
            self._look_at_clock(self._put())
        # The second create must be refused. So was the first, where the probe is there from an earlier check.
        elif self._created() and self._created():
            self._add(Code.S3_CREATE_ONLY_IGNORED, key=self._key)

    def _created(self) -> bool:
        """Write the probe if it is not there, and return whether it was written."""
        try:
            self._look_at_clock(self._put(IfNoneMatch="*"))
        except ClientError as fault:
            if fault.response["ResponseMetadata"]["HTTPStatusCode"] != 412:
                raise
            self._look_at_clock(fault.response)
            return False
        return True

    def _put(self, **condition: str) -> dict[str, Any]:
        encryption = {
            "ServerSideEncryption": self._settings.server_side_encryption,
            "SSEKMSKeyId": self._settings.kms_key_id,
        }
        answer: dict[str, Any] = self._client.put_object(
            Bucket=self._access.bucket,
            Key=self._key,
            Body=self._content,
            ContentType="application/json",
            Metadata={"sha256": hashlib.sha256(self._content).hexdigest()},
            **{name: value for name, value in encryption.items() if value},
            **condition,
        )
        return answer

    def _compare(self, answer: dict[str, Any]) -> None:
        # One byte more than there should be is enough to see that it is another object.
        content = answer["Body"].read(len(self._content) + 1)
        if content != self._content:
            self._add(
                Code.S3_OTHER_BYTES, key=self._key, detail=f"{len(content)} instead of {len(self._content)} bytes"
            )
        self._look_at_encryption(answer.get("ServerSideEncryption"), answer.get("SSEKMSKeyId"))

    def _look_at_encryption(self, method: str | None, key_id: str | None) -> None:
        wanted, wanted_key = self._settings.server_side_encryption, self._settings.kms_key_id
        if wanted is None:
            return
        # The store answers with the key's ARN; an alias does not show in it.
        comparable = wanted_key is not None and "alias/" not in wanted_key
        if method != wanted or (comparable and not (key_id or "").endswith(wanted_key or "")):
            self._add(
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
            self._add(Code.S3_CLOCK_OFF, seconds=round(abs(off).total_seconds()), direction=direction)

    def _add(self, code: Code, **facts: object) -> None:
        self._found.append(finding(code, self._about, **facts))


def probe_key(account: Account, settings: S3DestinationSettings) -> str:
    """Return the probe's key, below the account's prefix, where a narrow policy lets us write."""
    name = f"{PROBES}/{account.user_id}-{account.settings_hash}.json"
    return f"{settings.key_prefix}/{name}" if settings.key_prefix else name


def _content(account: Account) -> bytes:
    # Without time or version: a check next year must find the same bytes.
    return (
        msgspec.json.encode(
            {
                "probe": "Written by job history replication to see whether it can write here. No job; leave it be.",
                "user_id": account.user_id,
                "settings_hash": account.settings_hash,
            }
        )
        + b"\n"
    )


def _encryption(method: str | None, key_id: str | None) -> str:
    return f"{method} by {key_id}" if key_id else method or "nothing"
