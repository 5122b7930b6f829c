"""The task that delivers to a bucket."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from job_history.account import Account
from job_history.extract import Extracted
from job_history.load import load
from job_history.slice import Slice
from job_history.transform import Transformed
from job_history_airflow.connections import s3_destination
from job_history_airflow.operators.slice_step import SliceStepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class JobHistoryToS3Operator(SliceStepOperator):
    """Puts a slice's staged documents into the account's bucket.

    :param extracted: what the extract of the slice returned (templated)
    :param transformed: what its transform returned (templated)
    """

    template_fields: Sequence[str] = ("slice", "extracted", "transformed")
    ui_color = "#fbe9d9"

    def __init__(self, *, extracted: Any, transformed: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.extracted = extracted
        self.transformed = transformed

    def run_step(self, slice_: Slice, account: Account, context: Context) -> dict[str, Any]:
        outcome = load(
            slice_,
            account,
            extracted=msgspec.convert(self.extracted, Extracted),
            transformed=msgspec.convert(self.transformed, Transformed),
            destination=s3_destination(
                account,
                in_flight=self.settings.upload_concurrency,
                repair=context["params"].get("mode") == "repair",
            ),
            staging=self.staging,
            ledger=self.ledger,
        )
        self.record_of(slice_).save_outcome(slice_, outcome)
        return {"delivered": outcome.delivered, "already_present": outcome.already_present}
