"""The task that reads the source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from job_history.accounts.account import Account
from job_history.model.slice import Slice
from job_history.pipeline.extract import extract
from job_history_airflow.factories.sources import source_of
from job_history_airflow.operators.base import SliceOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class ExtractOperator(SliceOperator):
    """Streams a slice's jobs or admin events from the account's source into a staged file."""

    ui_color = "#fdf3d8"
    uses_ledger = False

    def run_step(self, slice_: Slice, account: Account, context: Context) -> dict[str, Any]:  # noqa: ARG002
        source = source_of(
            account,
            slice_.kind,
            max_document_bytes=self.settings.max_document_bytes,
            staging=self.staging,
            slice_=slice_,
        )
        return msgspec.to_builtins(extract(slice_, account, source, self.staging))  # type: ignore[no-any-return]
