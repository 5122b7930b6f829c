"""The task that delivers to an HTTP source of Sumo Logic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from job_history.account import Account
from job_history.destinations import Destination
from job_history.slice import Slice
from job_history_airflow.connections import sumo_logic_destination
from job_history_airflow.operators.load_step import LoadStepOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class JobHistoryToSumoLogicOperator(LoadStepOperator):
    """Posts a slice's staged documents to the account's source; a retry leaves out what was acknowledged."""

    def destination(self, slice_: Slice, account: Account, context: Context) -> Destination:  # noqa: ARG002
        return sumo_logic_destination(
            account,
            slice_,
            staging=self.staging,
            max_message_bytes=self.settings.max_message_bytes,
        )
