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

    A retry leaves out what was acknowledged, and a later run what the window's receipt says is there; with the run's
    parameter `mode` `repair` everything is sent again.
    """

    def destination(self, slice_: Slice, account: Account, context: Context) -> Destination:
        from job_history.pipeline.skip_delivered import SkipDelivered

        destination = sumo_logic_destination(
            account,
            slice_,
            staging=self.staging,
            max_message_bytes=self.settings.max_message_bytes,
        )
        if context["params"].get("mode") == "repair":
            return destination
        return SkipDelivered(destination, self.ledger, slice_)
