"""The base of extract, transform and load: each works on one slice, and writes a failure file when it fails."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from job_history.accounts.account import Account
from job_history.errors import PermanentError, ReplicationError, UnrecoverableError
from job_history.model.slice import Slice
from job_history.pipeline.run_files import Failure, RunFiles
from job_history_airflow.operators.failures import reason_of
from job_history_airflow.operators.quiet_errors import without_traceback
from job_history_airflow.operators.staging_check import check_ledger, check_staging, planned_of
from job_history_airflow.operators.steps import Steps
from job_history_airflow.settings import load_accounts

if TYPE_CHECKING:
    from airflow.sdk import Context

MAP_INDEX_TEMPLATE = "{{ task.slice['label'] }}"


class SliceOperator(BaseOperator):
    """One step of a slice.

    :param slice: what `close` returned for it (templated)
    """

    template_fields: Sequence[str] = ("slice",)
    uses_ledger = True
    is_first = False

    steps: Steps

    def __init__(self, *, slice: dict[str, Any], **kwargs: Any) -> None:  # noqa: A002 - it reads best in the DAG
        super().__init__(**kwargs)
        self.slice = slice

    def execute(self, context: Context) -> dict[str, Any]:
        slice_ = Slice.from_dict(self.slice)
        with without_traceback(self.log):
            self.steps = Steps.of(context)
            planned = planned_of(self.slice)
            check_staging(self.steps.staging, planned)
            try:
                # The result of an earlier try must not count for this one, even if this one is killed. The first try
                # of a later step finds none: the first step of the same chain has deleted it.
                if self.is_first or context["ti"].try_number > 1:
                    self.files_of(slice_).begin(slice_)
                if self.uses_ledger:
                    check_ledger(self.steps.ledger, planned)
                # Each task reads the settings again, so that clearing a task uses the corrected Variable.
                account = load_accounts().get(slice_.user_id)
                return self.run_step(slice_, account, context)
            except BaseException as fault:
                self._save_failure(slice_, fault)
                raise

    @abstractmethod
    def run_step(self, slice_: Slice, account: Account, context: Context) -> dict[str, Any]:
        """Run the step, and return what the next one needs."""

    def files_of(self, slice_: Slice) -> RunFiles:
        return RunFiles(self.steps.staging, slice_.run)

    def _save_failure(self, slice_: Slice, fault: BaseException) -> None:
        step = self.task_id.rpartition(".")[2]
        is_permanent = isinstance(fault, PermanentError)
        failure = Failure(step, reason_of(fault), isinstance(fault, UnrecoverableError), transient=not is_permanent)
        try:
            self.files_of(slice_).save_failure(slice_, failure)
        except ReplicationError as unable:
            self.log.warning("The report of this run cannot give the reason: %s", unable)
