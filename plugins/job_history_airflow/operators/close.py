"""The task between the two stages: it closes what is finished, and returns what needs tasks of its own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.configuration import conf
from airflow.sdk import BaseOperator

from job_history import __version__
from job_history.errors import PermanentError
from job_history.pipeline.run_files import RunFiles
from job_history_airflow.operators.chain import entries_of
from job_history_airflow.operators.quiet_errors import without_traceback
from job_history_airflow.operators.run_places import RunPlaces
from job_history_airflow.operators.staging_check import read_planned

if TYPE_CHECKING:
    from airflow.sdk import Context

    from job_history.pipeline.results import Plan


class CloseOperator(BaseOperator):
    """Writes the receipts of windows that the convoys finished, and returns the slices for tasks of their own.

    These are large slices, and those without an outcome that may still get one. Beyond `[core] max_map_length`, several
    share a chain of tasks. It judges nothing: `report` does.
    """

    ui_color = "#efe6f7"

    def execute(self, context: Context) -> list[dict[str, Any]]:
        from job_history.ledger.open_windows import OpenWindows
        from job_history.pipeline.close import Closing, dealt_out, finished, slices_for_tasks_of_their_own
        from job_history.pipeline.closed_file import ClosedFile
        from job_history.pipeline.convoy_files import ConvoyFiles

        with without_traceback(self.log):
            planned = read_planned(context)
            if planned is None:
                self.log.info("Nothing was planned; the report has the reason.")
                return []
            places = RunPlaces.of(context)
            places.check_shared(planned)
            files = RunFiles(places.staging, places.run)
            closed_file = ClosedFile(places.staging, places.run)
            closed_file.delete()
            plans = [found for kind in planned.kinds if (found := self._readable_plan(files, kind)) is not None]
            waiting = slices_for_tasks_of_their_own(plans, files)
            chains = dealt_out(waiting, conf.getint("core", "max_map_length"))
            if len(chains) < len(waiting) or context["ti"].try_number > 1:
                # Else each chain's entry has its slice, and there are no chains of an earlier try.
                ConvoyFiles(places.staging, places.run).save_chains(chains)
            closing = Closing(
                run=places.run,
                files=files,
                ledger=places.ledger,
                marks=OpenWindows(places.ledger),
                finished_at=datetime.now(UTC),
                code_version=__version__,
                accepts_fewer=bool(context["params"].get("accept_fewer")),
            )
            closed = closing.those_possible(finished(plans, waiting))
            number = closed_file.save(window for window in closed if window.own is not None)
            self.log.info(
                "%s windows closed; %s slices get tasks of their own, in %s chains.",
                number,
                len(waiting),
                len(chains),
            )
            return entries_of(chains, planned)

    def _readable_plan(self, files: RunFiles, kind: str) -> Plan | None:
        try:
            return files.plan(kind)
        except PermanentError as unreadable:
            # The report fails for it, and names it.
            self.log.warning("Accounts with destination %s are left to the report: %s", kind, unreadable)
            return None
