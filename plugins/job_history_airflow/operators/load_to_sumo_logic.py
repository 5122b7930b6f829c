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

    A retry skips what was acknowledged, and a later run skips what the window's receipt has as delivered; with the
    run's parameter `mode` `repair` everything is sent again.
    """

    recognises_repeats = False

    def destination(self, slice_: Slice, account: Account, context: Context) -> Destination:  # noqa: ARG002
        return sumo_logic_destination(
            account,
            slice_,
            staging=self.staging,
            max_message_bytes=self.settings.max_message_bytes,
        )
