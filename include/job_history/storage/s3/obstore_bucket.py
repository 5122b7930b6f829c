"""A bucket by obstore (Rust object_store).

obstore reads the environment for every setting that it is not given, so it is given all of them. What has no value for
"none" is in `resolve.py`: if the environment has it, boto3 is used instead.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

from obstore.store import S3Store

from job_history.errors import ReplicationError
from job_history.errors.code import Code
from job_history.errors.masking import Masker
from job_history.storage.files import Entry
from job_history.storage.obstore_errors import ODD_KEY
from job_history.storage.obstore_files import ObstoreFiles
from job_history.storage.problems import Attempted, Problem, quoted
from job_history.storage.s3.access import S3Access
from job_history.storage.s3.boto3_bucket import Boto3Bucket
from job_history.storage.s3.obstore_errors import BLOCKED_PROXY, problem_of_obstore

if TYPE_CHECKING:
    # They exist for type checkers only.
    from obstore.store import ClientConfig, RetryConfig, S3Config

log = logging.getLogger(__name__)


class ObstoreBucket(ObstoreFiles):
    """A bucket of S3, or of a store that speaks its protocol."""

    def __init__(self, access: S3Access, *, prefix: str = "", attempts: int = 1) -> None:
        super().__init__(prefix)
        self.access = access
        self._attempts = attempts
        with self._errors("use", ""):
            self._reader = s3_store(access, {}, attempts)
            self._writer = s3_store(access, access.options.headers(), attempts)

    def description(self) -> dict[str, Any]:
        return self.access.description

    def entries(self, below: str) -> Iterator[Entry]:
        """List the objects, by boto3 from the first page on with a key that obstore cannot take (`a//b`)."""
        last = ""
        try:
            for entry in super().entries(below):
                last = entry.path
                yield entry
        except ReplicationError as error:
            if ODD_KEY not in (error.detail or ""):
                raise
            log.info("%s is listed through boto3, because %s.", self.access.about, error.detail)
            prefix = self._prefix.rstrip("/")
            yield from Boto3Bucket(self.access, prefix=prefix, attempts=self._attempts).entries(below, after=last)

    def error_of(self, text: str, doing: str, key: str) -> ReplicationError:
        return self._error(problem_of_obstore(self._mask(text)), doing, key)

    def unusable(self, text: str, doing: str, key: str) -> ReplicationError:
        return self._error(Problem(Code.S3_ENDPOINT_UNUSABLE, quoted(self._mask(text))), doing, key)

    def reports_missing_bucket(self, text: str) -> bool:
        return "<Code>NoSuchBucket" in text

    def _error(self, problem: Problem, doing: str, key: str) -> ReplicationError:
        return problem.error(self.access.about, Attempted(doing, key, self.access.region))

    def _mask(self, text: str) -> str:
        masker: Masker = self.access.credentials.masker() if self.access.credentials else str
        return masker(text)


def s3_store(access: S3Access, headers: Mapping[str, str], attempts: int) -> S3Store:
    """Make an obstore client; `headers` go with each of its requests, and are signed."""
    retries: RetryConfig = {
        "max_retries": attempts - 1,
        "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=10), "base": 2},
        "retry_timeout": timedelta(seconds=access.read_timeout),
    }
    return S3Store(
        config=store_config(access),
        client_options=client_options(access, headers),
        retry_config=retries,
        credential_provider=access.credentials,
    )


def store_config(access: S3Access) -> S3Config:
    """Return every setting of the store that is not about how credentials are found."""
    return {
        # The bucket's own URL, with the bucket in host or path as botocore resolved it.
        "endpoint": access.url,
        "aws_endpoint_url_s3": access.url,
        "virtual_hosted_style_request": True,
        "bucket": access.bucket,
        "region": access.region,
        "skip_signature": access.credentials is None,
        "unsigned_payload": False,
        "s3_express": False,
        "conditional_put": "etag",
        "copy_if_not_exists": "multipart",
        "disable_tagging": False,
        "disable_bulk_delete": True,
        "request_payer": access.options.requester_pays,
        **({"checksum_algorithm": "SHA256"} if access.options.checksum == "sha256" else {}),
    }


def client_options(access: S3Access, headers: Mapping[str, str]) -> ClientConfig:
    """Return the settings of the HTTP client. What is left out has obstore's default: it is not in the environment."""
    options: dict[str, Any] = {
        "allow_http": access.url.startswith("http://"),
        "timeout": timedelta(seconds=access.read_timeout),
        "connect_timeout": timedelta(seconds=access.connect_timeout),
        "allow_invalid_certificates": access.trust is False,
        "user_agent": access.user_agent,
        "default_headers": dict(headers),
        # No proxy of the environment; and a redirect to another host, which obstore would follow with the session
        # token, goes nowhere.
        "proxy_url": BLOCKED_PROXY,
        "proxy_excludes": urlsplit(access.url).hostname or "",
    }
    if isinstance(access.trust, str):
        options["root_certificate"] = Path(access.trust).read_bytes()
    return cast("ClientConfig", options)
