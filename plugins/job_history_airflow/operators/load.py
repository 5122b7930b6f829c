"""The task that delivers one slice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from job_history.accounts.account import Account
from job_history.model.slice import Slice
from job_history.pipeline.results import Extracted, SliceOutcome, Transformed
from job_history_airflow.operators.base import SliceOperator
from job_history_airflow.operators.chain import result_of

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage


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
        self._delivered: list[tuple[Account, Slice, SliceOutcome]] = []

    def run_step(self, slice_: Slice, account: Account) -> dict[str, Any]:
        outcome = self.steps.load(
            slice_,
            account,
            msgspec.convert(result_of(self.extracted, slice_), Extracted),
            msgspec.convert(result_of(self.transformed, slice_), Transformed),
        )
        self.files_of(slice_).save_outcome(slice_, outcome)
        self._delivered.append((account, slice_, outcome))
        return {"delivered": outcome.delivered, "already_present": outcome.already_present}

    def has_input(self, slice_: Slice) -> bool:
        return result_of(self.transformed, slice_) is not None

    def get_openlineage_facets_on_complete(self, _task_instance: Any) -> OperatorLineage[Any, Any] | None:
        """Return inputs and outputs with their sizes; Airflow's OpenLineage provider calls it after a success."""
        from job_history_airflow.announce.lineage import lineage_of_slices

        return lineage_of_slices(self._delivered)
