"""The task that delivers to an HTTP source of Sumo Logic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from job_history.accounts.account import Account
from job_history.destinations import Destination
from job_history.model.slice import Slice
from job_history_airflow.factories.destinations import sumo_logic_destination
from job_history_airflow.operators.load_base import LoadOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class LoadToSumoLogicOperator(LoadOperator):
    """Posts a slice's staged documents to the account's source.

    A retry and a later run skip what was acknowledged, and what the window's receipt has as delivered. With the run's
    parameter `mode` `repair` everything is sent again, but for what was acknowledged to this run.
    """

    def destination(self, slice_: Slice, account: Account, context: Context) -> Destination:
        return sumo_logic_destination(
            account,
            slice_,
            ledger=self.ledger,
            max_message_bytes=self.settings.max_message_bytes,
            repair=context["params"].get("mode") == "repair",
        )
