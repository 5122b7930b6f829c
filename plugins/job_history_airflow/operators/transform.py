"""The task that makes documents; it asks no other system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from job_history.accounts.account import Account
from job_history.model.slice import Slice
from job_history.pipeline.results import Extracted
from job_history_airflow.operators.base import SliceOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class TransformOperator(SliceOperator):
    """Turns staged records into staged documents.

    :param extracted: what the extract of the slice returned (templated)
    """

    template_fields: Sequence[str] = ("slice", "extracted")
    ui_color = "#e9f6e6"

    def __init__(self, *, extracted: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.extracted = extracted

    def run_step(self, slice_: Slice, account: Account, context: Context) -> dict[str, Any]:  # noqa: ARG002
        transformed = self.steps.transform(slice_, account, msgspec.convert(self.extracted, Extracted))
        return msgspec.to_builtins(transformed)  # type: ignore[no-any-return]
