"""The base of extract, transform and load: each works on one slice, and writes a failure file when it fails."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from job_history.accounts.account import Account
from job_history.accounts.variable import Accounts
from job_history.errors import PermanentError, ReplicationError, UnrecoverableError
from job_history.model.slice import Slice
from job_history.pipeline.convoy_files import ConvoyFiles
from job_history.pipeline.convoy_results import TakeOver
from job_history.pipeline.convoy_step import HEADING
from job_history.pipeline.run_files import Failure, RunFiles
from job_history_airflow.factories.sharing import shared_clients
from job_history_airflow.operators.chain import BY_SLICE, close_of, slices_of
from job_history_airflow.operators.failures import reason_of
from job_history_airflow.operators.quiet_errors import without_traceback
from job_history_airflow.operators.slice_time_limit import part_of_the_time_left
from job_history_airflow.operators.staging_check import check_ledger, check_staging, planned_of
from job_history_airflow.operators.steps import Steps
from job_history_airflow.settings import load_accounts

if TYPE_CHECKING:
    from airflow.sdk import Context

MAP_INDEX_TEMPLATE = "{{ task.slice['label'] }}"


class SliceOperator(BaseOperator):
    """One step of a chain of tasks: of one slice, or of several if there are more than Airflow maps.

    The first try after a `close` goes on with what a convoy has made of a slice, so that nothing is read twice.

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
        with without_traceback(self.log), shared_clients():
            self.steps = Steps.of(context)
            check_staging(self.steps.staging, planned_of(self.slice))
            slices = slices_of(self.slice, self.steps.staging)
            # Each task reads the settings again, so that clearing a task uses the corrected Variable.
            one = functools.partial(
                self._one, accounts=functools.cache(load_accounts), is_first_try=context["ti"].try_number == 1
            )
            return one(slices[0]) if len(slices) == 1 else {BY_SLICE: self._several(slices, one)}

    @abstractmethod
    def run_step(self, slice_: Slice, account: Account) -> dict[str, Any]:
        """Run the step, and return what the next one needs."""

    def has_input(self, slice_: Slice) -> bool:  # noqa: ARG002 - the first step needs none
        """Return whether the steps before have made what this one works on."""
        return True

    def made_by_convoy(self, slice_: Slice, account: Account) -> dict[str, Any] | None:  # noqa: ARG002
        """Return what a convoy has made of the slice in this step; None if it is to be made, or to be made again."""
        return None

    def _several(self, slices: list[Slice], one: Callable[..., dict[str, Any]]) -> dict[str, dict[str, Any]]:
        """Run the step for each slice; one that fails is in the report, and stops no other. Raises if all fail.

        Those on which an earlier try failed come last: one of them may have ended it. None may take all the time that
        the task has left.
        """
        returned: dict[str, dict[str, Any]] = {}
        errors: list[Exception] = []
        in_order = sorted(
            filter(self.has_input, slices), key=lambda slice_: self.files_of(slice_).failure(slice_) is not None
        )
        for place, slice_ in enumerate(in_order, start=1):
            self.log.info(HEADING, slice_.label, place, len(in_order))
            limit = functools.partial(part_of_the_time_left, 0.5 if place < len(in_order) else 0.9)
            try:
                returned[slice_.folder] = one(slice_, time_limit=limit)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this slice's, and stops no other
                self.log.error("%s of %s failed: %s", self._step, slice_.about, reason_of(error))  # noqa: TRY400
                errors.append(error)
        if errors and not returned:
            raise errors[0]
        return returned

    def _one(
        self,
        slice_: Slice,
        *,
        accounts: Callable[[], Accounts],
        is_first_try: bool,
        time_limit: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> dict[str, Any]:
        try:
            account = accounts().get(slice_.user_id)
            made = self.made_by_convoy(slice_, account)
            # The result of an earlier try must not count for this one, even if this one is killed. The first try of a
            # later step finds none: the first step of the same chain has deleted it.
            if self.is_first or not is_first_try:
                self.files_of(slice_).begin(slice_)
            if self.uses_ledger:
                check_ledger(self.steps.ledger, planned_of(self.slice))
            if made is None:
                with time_limit():
                    return self.run_step(slice_, account)
            self.log.info("The %s of its convoy is used: account %s.", self._step, slice_.label)
        except BaseException as fault:
            self._save_failure(slice_, fault)
            raise
        return made

    @property
    def _step(self) -> str:
        return str(self.task_id.rpartition(".")[2])

    def take_over(self, slice_: Slice, account: Account) -> TakeOver:
        files = ConvoyFiles(self.steps.staging, slice_.run)
        return TakeOver(files, slice_, account.settings_hash, close_of(self.slice))

    def files_of(self, slice_: Slice) -> RunFiles:
        return RunFiles(self.steps.staging, slice_.run)

    def _save_failure(self, slice_: Slice, fault: BaseException) -> None:
        is_permanent = isinstance(fault, PermanentError)
        failure = Failure(
            self._step, reason_of(fault), isinstance(fault, UnrecoverableError), transient=not is_permanent
        )
        try:
            self.files_of(slice_).save_failure(slice_, failure)
        except ReplicationError as unable:
            self.log.warning("The report of this run cannot give the reason: %s", unable)
