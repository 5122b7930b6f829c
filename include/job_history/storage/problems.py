"""What is wrong with a bucket or a container: a code of the catalogue and what happened, for every kind of store.

A store's answer may repeat keys and signatures. Only its code, and its message without our credentials, is reported.
"""

from __future__ import annotations

import html
import re
from typing import NamedTuple

from job_history.errors import PermanentError, TransientError
from job_history.errors.catalogue import finding
from job_history.errors.code import Code, Severity
from job_history.errors.masking import MASK

_ACCESS_KEY = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}")
# A user name and a password in a URL, whatever is wrong with the URL.
_USER_INFO = re.compile(r"""[^\s`'"/\\]*:[^\s`'"]*@""")
_MAX_QUOTE = 500

NO_ANSWER_OF_A_STORE = "it answers with success, but not as a store does: a proxy or a web server may answer instead"

TRANSIENT_STATUS = {408, 409, 425, 429, 500, 502, 503, 504}
SLOW_DOWN_STATUS = {429, 503}


class SlowDownError(TransientError):
    """The store asks for fewer requests."""


class Attempted(NamedTuple):
    """`doing`: write, read, list or delete. `region`: the one that the request was signed for."""

    doing: str
    key: str
    region: str


class Problem(NamedTuple):
    """A code of the catalogue, and what happened."""

    code: Code
    detail: str
    slow_down: bool = False
    bucket_region: str | None = None

    def error(self, about: str, attempted: Attempted) -> PermanentError | TransientError:
        """Return the error to raise. `about`: account or bucket, in words that begin a sentence."""
        facts = {
            "doing": attempted.doing,
            "key": attempted.key,
            "region": attempted.region,
            "bucket_region": self.bucket_region or "another region",
        }
        found = finding(self.code, about, detail=self.detail, **facts)
        kind = PermanentError if found.severity is Severity.ERROR else TransientError
        return (SlowDownError if self.slow_down else kind)(
            f"{found.cause} {found.fix}", code=self.code, detail=self.detail, facts=facts
        )


def quoted(text: str) -> str:
    """Take another program's text into a message: one line, at most 500 characters, without access keys
    and passwords of URLs.
    """
    words = _USER_INFO.sub(f"{MASK}@", _ACCESS_KEY.sub(MASK, html.unescape(" ".join(text.split()))))
    return (words if len(words) <= _MAX_QUOTE else words[:_MAX_QUOTE] + "...").rstrip(".")
