"""The steps of a run's slices, watched: which worked on which accounts, and errors that a test has them raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from job_history.accounts.account import Account
from job_history.model.slice import Slice


class WatchedSteps:
    """Notes which steps work on which accounts. A step may be set to fail for one account, at its first time, or to do
    something before.
    """

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        from job_history_airflow.operators.steps import Steps

        self.worked: list[tuple[str, int]] = []
        self.errors: dict[tuple[str, int], BaseException] = {}
        self.before: dict[tuple[str, int], Callable[[], None]] = {}
        for step in ("extract", "transform", "load"):
            patch.setattr(Steps, step, self._noting(step, getattr(Steps, step)))

    def _noting(self, step: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def do(steps: Any, slice_: Slice, account: Account, *made: Any) -> Any:
            self.worked.append((step, slice_.user_id))
            if (error := self.errors.pop((step, slice_.user_id), None)) is not None:
                raise error
            self.before.pop((step, slice_.user_id), lambda: None)()
            return work(steps, slice_, account, *made)

        return do

    def times(self, user_id: int) -> list[int]:
        return [self.worked.count((step, user_id)) for step in ("extract", "transform", "load")]
