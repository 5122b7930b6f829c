"""The task that delivers to a destination of any kind; the kinds of the first release have classes of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from job_history.accounts.account import Account
from job_history.destinations import Destination
from job_history.errors import PermanentError
from job_history.model.slice import Slice
from job_history.pipeline.results import Extracted, SliceOutcome, Transformed
from job_history.preflight.notes import PreflightNotes
from job_history_airflow.operators.base import SliceOperator

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Context


def is_repair(context: Context) -> bool:
    """Return whether a run compares all bytes: by the hourly run's parameter, or the reconciliation's."""
    return context["params"].get("mode") == "repair" or bool(context["params"].get("repair"))


class LoadOperator(SliceOperator):
    """Delivers a slice's staged documents to the account's destination.

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

    def run_step(self, slice_: Slice, account: Account, context: Context) -> dict[str, Any]:
        from job_history.destinations.kind import kind_of
        from job_history.pipeline.load import load

        sends_all = context["params"].get("mode") == "repair"
        recognises_repeats = kind_of(account).recognises_repeats
        try:
            outcome = load(
                slice_,
                account,
                extracted=msgspec.convert(self.extracted, Extracted),
                transformed=msgspec.convert(self.transformed, Transformed),
                destination=self.destination(slice_, account, context),
                staging=self.staging,
                ledger=self.ledger,
                repair=is_repair(context),
                skip_delivered=not recognises_repeats and not sends_all,
                count_repeats=not recognises_repeats and sends_all,
            )
        except PermanentError:
            # The destination passed its preflight once and fails now: the next run checks it before it reads the
            # source.
            PreflightNotes(self.ledger).forget_passed(account)
            raise
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

    def destination(self, slice_: Slice, account: Account, context: Context) -> Destination:
        """Return the destination of the account's documents, opened by its kind."""
        from job_history.destinations.kind import Opening, kind_of

        opening = Opening(
            slice=slice_,
            staging=self.staging,
            ledger=self.ledger,
            upload_concurrency=self.settings.upload_concurrency,
            max_message_bytes=self.settings.max_message_bytes,
            repair=is_repair(context),
        )
        return kind_of(account).open(account, opening)
