"""One step of a convoy: it works through the slices, and one slice's failure stops no other."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from job_history.accounts.account import Account
from job_history.errors import PermanentError, UnrecoverableError
from job_history.model.slice import Slice
from job_history.pipeline.convoy import Convoy
from job_history.pipeline.convoy_files import ConvoyFiles
from job_history.pipeline.run_files import Failure, RunFiles
from job_history.reconciliation.patience import Patience
from job_history.tables import text_table

log = logging.getLogger(__name__)

STEP_SECONDS = 900.0
"""After this time a step begins no further slice: what is left goes to tasks of its own."""
AWAY_SECONDS = 200.0
"""After slices of one source or store have failed for so long in a row, no other waits for it: it gets a task of its
own, and the accounts of other places get their turn."""
HEADING = "──── %s (%s of %s) ────"
"""Of a slice in the log of a task that has several."""


class Did(StrEnum):
    """What a step did with a slice."""

    DONE = "done"
    DONE_EARLIER = "done by an earlier try"
    FAILED = "failed"
    NOT_READY = "not done by the step before"
    LEFT = "left to a task of its own"
    AWAY = "left, its source or store is away"


@dataclass(frozen=True, kw_only=True)
class ConvoyStep:
    """How one step works on one slice.

    `before`: the name of the step before, whose result it needs; None for the first. `work` does the step and returns
    its result. `is_done`: this step has a result, made with the account's settings of now. `is_ready`: the step before
    has one. `time_limit` makes a
    context in which a slice may take so long; it raises an Exception. `reason_of` returns an exception's message.
    `asked_of` names what the step asks for an account, a source or a store: if that is away, no further slice waits
    for it. Empty: nothing.
    """

    name: str
    work: Callable[[Slice, Account], msgspec.Struct]
    account_of: Callable[[int], Account]
    is_done: Callable[[Slice, Account], bool]
    is_ready: Callable[[Slice], bool]
    save: Callable[[Slice, Account, msgspec.Struct], None]
    time_limit: Callable[[], AbstractContextManager[None]]
    reason_of: Callable[[BaseException], str]
    asked_of: Callable[[Account], str] = lambda _: ""
    clock: Callable[[], float] = time.monotonic

    def run(self, convoy: Convoy, files: ConvoyFiles, run_files: RunFiles) -> Counter[Did]:
        """Work through the slices, and log a table of what was done. Raises nothing that one slice alone causes."""
        began = self.clock()
        interrupted = files.begun(convoy, self.name)
        patience = Patience(self.clock, AWAY_SECONDS, in_a_row=True)
        rows: list[tuple[str, Did]] = []
        for place, slice_ in enumerate(convoy.slices):
            if self.clock() - began > STEP_SECONDS:
                did = Did.LEFT
            else:
                log.info(HEADING, slice_.label, place + 1, len(convoy.slices))
                did = self._slice(convoy, place, interrupted, files, run_files, patience=patience)
            rows.append((slice_.label, did))
        log.info("\n%s", text_table(["account and hour", self.name], rows))
        counts = Counter(did for _, did in rows)
        log.info(
            "%s of %s slices in %.1f s: %s.",
            self.name,
            f"{len(rows):,}",
            self.clock() - began,
            ", ".join(f"{counts[did]:,} {did}" for did in Did if counts[did]),
        )
        return counts

    def _slice(
        self,
        convoy: Convoy,
        place: int,
        interrupted: int | None,
        files: ConvoyFiles,
        run_files: RunFiles,
        *,
        patience: Patience,
    ) -> Did:
        slice_ = convoy.slices[place]
        try:
            account = self.account_of(slice_.user_id)
            if interrupted is not None and self.is_done(slice_, account):
                return Did.DONE_EARLIER
            if interrupted is not None and self._was_interrupted(slice_, place == interrupted, run_files):
                return Did.LEFT
            if not self.is_ready(slice_):
                return Did.NOT_READY
            asked = self.asked_of(account)
            if patience.is_over(asked):
                return Did.AWAY
            files.begin(convoy, self.name, place)
            if interrupted is not None:
                # The result of an earlier try must not count for this one, even if this one is killed.
                run_files.begin(slice_)
                files.forget_results(slice_, self.name)
            with patience.tried(asked) if asked else nullcontext(), self.time_limit():
                self.save(slice_, account, self.work(slice_, account))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this slice's, and stops no other
            log.error("%s of %s failed: %s", self.name, slice_.about, self.reason_of(error))  # noqa: TRY400
            run_files.save_failure(slice_, self._failure(error))
            return Did.FAILED
        return Did.DONE

    def _was_interrupted(self, slice_: Slice, is_the_one: bool, run_files: RunFiles) -> bool:
        """Return whether an earlier try of this step ended in the middle of this slice.

        It may have run out of memory or time, and must not take its convoy along again.
        """
        failure = run_files.failure(slice_)
        if failure is not None and failure.abandoned:
            return True
        if failure is not None or not is_the_one:
            return False
        message = "an earlier try of the task ended in the middle of it (killed, out of memory or out of time)"
        run_files.save_failure(slice_, Failure(self.name, message, transient=True, abandoned=True))
        return True

    def _failure(self, error: Exception) -> Failure:
        return Failure(
            self.name,
            self.reason_of(error),
            unrecoverable=isinstance(error, UnrecoverableError),
            transient=not isinstance(error, PermanentError),
        )
