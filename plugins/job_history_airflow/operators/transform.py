"""The task that makes documents; it asks no other system."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from job_history.accounts.account import Account
from job_history.model.slice import Slice
from job_history.pipeline.results import Extracted
from job_history_airflow.operators.base import SliceOperator
from job_history_airflow.operators.chain import BY_CONVOY, result_of


class TransformOperator(SliceOperator):
    """Turns staged records into staged documents.

    :param extracted: what the extract of the slice returned (templated)
    """

    template_fields: Sequence[str] = ("slice", "extracted")
    ui_color = "#e9f6e6"

    def __init__(self, *, extracted: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.extracted = extracted

    def run_step(self, slice_: Slice, account: Account) -> dict[str, Any]:
        extracted = msgspec.convert(result_of(self.extracted, slice_), Extracted)
        return msgspec.to_builtins(self.steps.transform(slice_, account, extracted))  # type: ignore[no-any-return]

    def has_input(self, slice_: Slice) -> bool:
        return result_of(self.extracted, slice_) is not None

    def made_by_convoy(self, slice_: Slice, account: Account) -> dict[str, Any] | None:
        """It counts only if the chain's extract is the convoy's as well."""
        if not (result_of(self.extracted, slice_) or {}).get(BY_CONVOY):
            return None
        made = self.take_over(slice_, account).transformed()
        return None if made is None else msgspec.to_builtins(made)
