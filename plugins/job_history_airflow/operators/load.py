"""The task that delivers one slice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from job_history.accounts.account import Account
from job_history.model.slice import Slice
from job_history.pipeline.results import Extracted, SliceOutcome, Transformed
from job_history_airflow.operators.base import SliceOperator

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Context


class LoadOperator(SliceOperator):
    """Delivers a slice's staged documents to the account's destination, of whichever kind that is.

    :param extracted: what the extract of the slice returned (templated)
    :param transformed: what its transform returned (templated)
    """

    template_fields: Sequence[str] = ("slice", "extracted", "transformed")
    ui_color = "#fbe9d9"

    def __init__(self, *, extracted: Any, transformed: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.extracted = extracted
        self.transformed = transformed
        self._delivered: tuple[Account, Slice, SliceOutcome] | None = None

    def run_step(self, slice_: Slice, account: Account, context: Context) -> dict[str, Any]:  # noqa: ARG002
        outcome = self.steps.load(
            slice_, account, msgspec.convert(self.extracted, Extracted), msgspec.convert(self.transformed, Transformed)
        )
        self.files_of(slice_).save_outcome(slice_, outcome)
        self._delivered = account, slice_, outcome
        return {"delivered": outcome.delivered, "already_present": outcome.already_present}

    def get_openlineage_facets_on_complete(self, _task_instance: Any) -> OperatorLineage[Any, Any] | None:
        """Return inputs and outputs with their sizes; Airflow's OpenLineage provider calls it after a success."""
        from job_history_airflow.announce.lineage import lineage_of

        if self._delivered is None:
            return None
        account, slice_, outcome = self._delivered
        return lineage_of(account, slice_.kind, outcome)
