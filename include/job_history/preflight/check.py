"""Runs one check of one account; its errors become findings."""

from __future__ import annotations

import logging
from collections.abc import Callable

from job_history.errors import ReplicationError
from job_history.errors.catalogue import finding, finding_from_error
from job_history.errors.code import Code
from job_history.errors.finding import Finding

log = logging.getLogger(__name__)

Check = Callable[[], list[Finding]]

CHECKS_AT_ONCE = 64
"""They wait for answers nearly all the time."""


def run_check(check: Check, about: str) -> list[Finding]:
    """Run a check. An error that it raises becomes a finding, so that the other checks go on."""
    try:
        return check()
    except ReplicationError as error:
        return [finding_from_error(error, about)]
    except Exception as error:
        log.exception("The preflight of %s failed with an error of its own.", about)
        return [finding(Code.CHECK_BROKE, about, detail=type(error).__name__)]
