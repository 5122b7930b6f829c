"""The task that reads the source for one slice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from job_history.accounts.account import Account
from job_history.model.slice import Slice
from job_history_airflow.operators.base import SliceOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class ExtractOperator(SliceOperator):
    """Streams a slice's jobs or admin events from the account's source into a staged file."""

    ui_color = "#fdf3d8"
    uses_ledger = False
    is_first = True

    def run_step(self, slice_: Slice, account: Account, context: Context) -> dict[str, Any]:  # noqa: ARG002
        return msgspec.to_builtins(self.steps.extract(slice_, account))  # type: ignore[no-any-return]
