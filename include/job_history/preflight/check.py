"""One check of one account, which says what it finds and never more."""

from __future__ import annotations

import logging
from collections.abc import Callable

from job_history.errors import ReplicationError
from job_history.errors.catalogue import finding, finding_from_error
from job_history.errors.code import Code
from job_history.errors.finding import Finding

log = logging.getLogger(__name__)

Check = Callable[[], list[Finding]]


def run_check(check: Check, about: str) -> list[Finding]:
    """Run a check. What it raises is a finding as well: of the others, and of the run, it stops nothing."""
    try:
        return check()
    except ReplicationError as fault:
        return [finding_from_error(fault, about)]
    except Exception as fault:
        log.exception("The preflight of %s broke.", about)
        return [finding(Code.CHECK_BROKE, about, detail=type(fault).__name__)]
