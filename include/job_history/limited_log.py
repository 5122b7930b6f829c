"""A limit for lines of a log about one account, window or document each: ten thousand of them are unreadable."""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Self

MAX_LINES = 20


class LimitedLog:
    """Logs at most so many messages of one sort, and at the end of its block how many more there were.

    Used without a block, it logs once that it leaves out the rest.
    """

    def __init__(self, log: logging.Logger, at_most: int = MAX_LINES) -> None:
        self._log = log
        self._at_most = at_most
        self._level = logging.NOTSET
        self._has_end = False
        self.messages = 0

    def info(self, message: str, *args: object) -> None:
        self.log(logging.INFO, message, *args)

    def warning(self, message: str, *args: object) -> None:
        self.log(logging.WARNING, message, *args)

    def error(self, message: str, *args: object) -> None:
        self.log(logging.ERROR, message, *args)

    def log(self, level: int, message: str, *args: object) -> None:
        self.messages += 1
        self._level = max(self._level, level)
        if self.messages <= self._at_most:
            self._log.log(level, message, *args)
        elif self.messages == self._at_most + 1 and not self._has_end:
            self._log.log(level, "Further messages like these are left out.")

    def __enter__(self) -> Self:
        self._has_end = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.messages > self._at_most:
            self._log.log(self._level, "... and %s more like these.", f"{self.messages - self._at_most:,}")
