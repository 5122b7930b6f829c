"""Errors of ours end a task without a traceback in its log: their message has the place, the cause and the fix."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from job_history.errors import PermanentError, ReplicationError, TransientError


class _QuietError(SystemExit):
    """Airflow logs a SystemExit as one line, and retries it as it does any other exception."""


class QuietPermanentError(PermanentError, _QuietError):  # type: ignore[misc]
    """A PermanentError that has been logged."""


class QuietTransientError(TransientError, _QuietError):  # type: ignore[misc]
    """A TransientError that has been logged."""


@contextmanager
def without_traceback(log: Any, *, logged: type[ReplicationError] | tuple[()] = ()) -> Iterator[None]:
    """Log an error of ours as its message, and raise it so that Airflow logs no traceback.

    `logged`: a type of errors whose message is in the log already.
    """
    try:
        yield
    except ReplicationError as error:
        if not isinstance(error, logged):
            log.error("%s", error)  # noqa: TRY400 - a traceback is what it avoids
        kind = QuietTransientError if isinstance(error, TransientError) else QuietPermanentError
        quiet = kind(str(error), detail=error.detail, facts=error.facts)
        # Of a SystemExit, it is the exit code, which Airflow logs.
        quiet.code = 1  # type: ignore[assignment]
        raise quiet from None
