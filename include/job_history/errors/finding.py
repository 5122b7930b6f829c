"""One thing that a preflight found."""

from __future__ import annotations

import msgspec

from job_history.errors.code import Code, Severity


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """`cause`: where and what, with the other side's own words and no secret. `fix`: what to do about it. Sentences."""

    code: Code
    severity: Severity
    cause: str
    fix: str

    def __str__(self) -> str:
        return f"{self.code}: {self.cause} {self.fix}"
