"""The task that reads the source for one slice."""

from __future__ import annotations

from typing import Any

import msgspec

from job_history.accounts.account import Account
from job_history.model.slice import Slice
from job_history_airflow.operators.base import SliceOperator
from job_history_airflow.operators.chain import BY_CONVOY


class ExtractOperator(SliceOperator):
    """Streams a slice's jobs or admin events from the account's source into a staged file."""

    ui_color = "#fdf3d8"
    uses_ledger = False
    is_first = True

    def run_step(self, slice_: Slice, account: Account) -> dict[str, Any]:
        return msgspec.to_builtins(self.steps.extract(slice_, account))  # type: ignore[no-any-return]

    def made_by_convoy(self, slice_: Slice, account: Account) -> dict[str, Any] | None:
        made = self.take_over(slice_, account).extracted(self.files_of(slice_))
        return None if made is None else {**msgspec.to_builtins(made), BY_CONVOY: True}
