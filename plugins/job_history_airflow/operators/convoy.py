"""The tasks of convoys: one step for the slices of many accounts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.sdk import BaseOperator

from job_history.accounts.account import Account
from job_history.errors import PermanentError
from job_history.model.slice import Slice
from job_history.pipeline.convoy_files import ConvoyFiles
from job_history.pipeline.convoy_results import ConvoyResults
from job_history.pipeline.convoy_step import ConvoyStep
from job_history.pipeline.results import SliceOutcome
from job_history.pipeline.run_files import RunFiles
from job_history_airflow.factories.sharing import shared_clients
from job_history_airflow.operators.failures import reason_of
from job_history_airflow.operators.quiet_errors import without_traceback
from job_history_airflow.operators.slice_time_limit import slice_time_limit
from job_history_airflow.operators.staging_check import check_ledger, check_staging, planned_of
from job_history_airflow.operators.steps import Steps
from job_history_airflow.settings import load_accounts

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Context

CONVOY_MAP_INDEX_TEMPLATE = "{{ task.convoy['label'] }}"


class ConvoyOperator(BaseOperator):
    """One step of a convoy. A slice that fails is in the report and, if it may pass, gets tasks of its own.

    :param step: `extract`, `transform` or `load`
    :param convoy: what the plan returned for it (templated)
    """

    template_fields: Sequence[str] = ("convoy",)
    ui_color = "#fdf3d8"

    def __init__(self, *, step: str, convoy: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.step = step
        self.convoy = convoy
        self._delivered: list[tuple[Account, Slice, SliceOutcome]] = []

    def execute(self, context: Context) -> dict[str, int]:
        with without_traceback(self.log):
            steps = Steps.of(context)
            planned = planned_of(self.convoy)
            check_staging(steps.staging, planned)
            if self.step != "extract":
                check_ledger(steps.ledger, planned)
            run, number = self.convoy["run"], self.convoy["number"]
            files, run_files = ConvoyFiles(steps.staging, run), RunFiles(steps.staging, run)
            convoy = files.convoy(number)
            if convoy is None:
                raise PermanentError(
                    f"Convoy {number} of the run is gone. Clear the run's `plan` and what is downstream."
                )
            with shared_clients():
                did = self._step(steps, files, run_files).run(convoy, files, run_files)
        return {str(each): number for each, number in did.items()}

    def _step(self, steps: Steps, files: ConvoyFiles, run_files: RunFiles) -> ConvoyStep:
        results = ConvoyResults(self.step, files, run_files)

        def work(slice_: Slice, account: Account) -> msgspec.Struct:
            if self.step == "extract":
                return steps.extract(slice_, account)
            extracted = results.needed("extract", slice_)
            if self.step == "transform":
                return steps.transform(slice_, account, extracted)
            outcome = steps.load(slice_, account, extracted, results.needed("transform", slice_))
            self._delivered.append((account, slice_, outcome))
            return outcome

        return ConvoyStep(
            name=self.step,
            work=work,
            # Each task reads the settings again, so that clearing a task uses the corrected Variable.
            account_of=load_accounts().get,
            is_done=results.is_done,
            is_ready=results.is_ready,
            save=results.save,
            time_limit=slice_time_limit,
            reason_of=reason_of,
            asked_of=self._asked_of,
        )

    def _asked_of(self, account: Account) -> str:
        """Return a name for the source, or for the connection of the destination, that the step waits for."""
        if self.step == "extract":
            return f"source {account.source.model_dump_json()}"
        settings = account.destination
        connection = getattr(settings, "conn_id", None) or settings.model_dump_json()
        return f"store {connection}" if self.step == "load" else ""

    def get_openlineage_facets_on_complete(self, _task_instance: Any) -> OperatorLineage[Any, Any] | None:
        """Return inputs and outputs with their sizes; Airflow's OpenLineage provider calls it after a success."""
        from job_history_airflow.announce.lineage import lineage_of_slices

        return lineage_of_slices(self._delivered)
