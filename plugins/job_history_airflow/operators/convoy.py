"""The tasks of convoys: one step for the slices of many accounts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.sdk import BaseOperator

from job_history.accounts.account import Account
from job_history.errors import PermanentError
from job_history.model.slice import Slice
from job_history.pipeline.convoy_files import ConvoyFiles
from job_history.pipeline.convoy_step import ConvoyStep
from job_history.pipeline.results import Extracted, SliceOutcome, Transformed
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
RESULTS: dict[str, type[msgspec.Struct]] = {"extract": Extracted, "transform": Transformed}
BEFORE = {"transform": "extract", "load": "transform"}


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
        results = _Results(self.step, files, run_files)

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
        )

    def get_openlineage_facets_on_complete(self, _task_instance: Any) -> OperatorLineage[Any, Any] | None:
        """Return inputs and outputs with their sizes; Airflow's OpenLineage provider calls it after a success."""
        from job_history_airflow.announce.lineage import lineage_of_slices

        return lineage_of_slices(self._delivered)


@dataclass(frozen=True)
class _Results:
    """What a step and the ones before it have left of a slice."""

    step: str
    files: ConvoyFiles
    run_files: RunFiles
    _ready: dict[Slice, tuple[msgspec.Struct, str]] = field(default_factory=dict)
    """The result of the step before, of the one slice that is ready."""

    def needed(self, step: str, slice_: Slice) -> Any:
        is_step_before = step == BEFORE.get(self.step)
        found = self._ready.pop(slice_, None) if is_step_before else None
        found = found or self.files.result(slice_, step, RESULTS[step])
        if found is None:
            raise PermanentError(f"{slice_.about} was not {step}ed. Clear its {step} task.")
        return found[0]

    def is_done(self, slice_: Slice, account: Account) -> bool:
        if self.step == "load":
            outcome = self.run_files.outcome(slice_)
            return outcome is not None and outcome.settings_hash == account.settings_hash
        found = self.files.result(slice_, self.step, RESULTS[self.step])
        return found is not None and found[1] == account.settings_hash

    def is_ready(self, slice_: Slice) -> bool:
        if (before := BEFORE.get(self.step)) is None:
            return True
        self._ready.clear()
        if (found := self.files.result(slice_, before, RESULTS[before])) is not None:
            self._ready[slice_] = found
        return found is not None

    def save(self, slice_: Slice, account: Account, made: msgspec.Struct) -> None:
        if isinstance(made, SliceOutcome):
            self.run_files.save_outcome(slice_, made)
        else:
            self.files.save_result(slice_, self.step, account.settings_hash, made)
