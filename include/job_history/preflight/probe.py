"""Can an object store take an account's documents? A small object, the probe, is written and read back as a document
would be.

It needs no right that delivery does not need: to create and to read objects below the account's prefix.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Protocol

import msgspec

from job_history.accounts.account import Account
from job_history.errors import ReplicationError
from job_history.errors.catalogue import finding, finding_from_error
from job_history.errors.code import Code
from job_history.errors.finding import Finding
from job_history.storage.files import ObjectExistsError
from job_history.storage.s3.bucket import Bucket

PROBES = "_control/probe"


class ProbedSettings(Protocol):
    """What a check needs of the destination's settings."""

    @property
    def key_prefix(self) -> str: ...

    @property
    def write_mode(self) -> str: ...


class ProbeCheck:
    """Writes the probe, create-only if the account is set so, and reads it back, by the client that delivers.

    The probe's name and bytes depend on account and settings alone, so that a second check finds it and adds no
    version.
    """

    create_only_ignored = Code.STORE_CREATE_ONLY_IGNORED
    other_bytes = Code.STORE_OTHER_BYTES

    def __init__(
        self, account: Account, settings: ProbedSettings, about: str, open_bucket: Callable[[], Bucket]
    ) -> None:
        """`settings`: the account's destination; `about`: account and bucket, for findings."""
        self._write_mode = settings.write_mode
        self._about = about
        self._open_bucket = open_bucket
        self._key = probe_key(account, settings)
        self._content = _content(account)
        self._found: list[Finding] = []

    def findings(self) -> list[Finding]:
        """Return what would keep documents from being delivered; an empty list: nothing."""
        try:
            asyncio.run(self._write_and_read())
        except ReplicationError as error:
            self._found.append(finding_from_error(error, self._about))
        else:
            self.look_further()
        return self._found

    def look_further(self) -> None:
        """Look at the probe in ways that only one kind of store knows."""

    async def _write_and_read(self) -> None:
        self._bucket = self._open_bucket()
        if self._write_mode != "create_only":
            await self._put(create=False)
        # The second create must be refused. So is the first, if an earlier check wrote the probe.
        elif await self._created() and await self._created():
            self.add(self.create_only_ignored, key=self._key)
        self._compare(await self._bucket.get(self._key))

    async def _created(self) -> bool:
        """Write the probe if there is none, and return whether it was written."""
        try:
            await self._put(create=True)
        except ObjectExistsError as exists:
            if exists.refused.code is Code.S3_BUSY:  # 409: another request for the key, which may yet fail
                raise exists.refused from None
            return False
        return True

    async def _put(self, *, create: bool) -> None:
        metadata = {"sha256": hashlib.sha256(self._content).hexdigest()}
        await self._bucket.put(self._key, self._content, metadata, create=create)

    def _compare(self, content: bytes | None) -> None:
        if content is None:
            self.add(self.other_bytes, key=self._key, detail="nothing is there")
        elif content != self._content:
            detail = f"{len(content)} instead of {len(self._content)} bytes"
            self.add(self.other_bytes, key=self._key, detail=detail)

    def add(self, code: Code, **facts: object) -> None:
        self._found.append(finding(code, self._about, **facts))


def probe_key(account: Account, settings: ProbedSettings) -> str:
    """Return the probe's key, below the account's prefix: a narrow policy allows writes there only."""
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
