"""One entry of the catalogue of findings."""

from __future__ import annotations

from typing import NamedTuple

from job_history.errors.code import Severity

ERROR, TRANSIENT, WARNING = Severity.ERROR, Severity.TRANSIENT, Severity.WARNING


class Entry(NamedTuple):
    """`cause`: a template; a finding puts the place before it."""

    severity: Severity
    cause: str
    fix: str
