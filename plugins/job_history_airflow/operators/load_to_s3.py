"""The task that delivers to a bucket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from job_history.accounts.account import Account
from job_history.destinations import Destination
from job_history.model.slice import Slice
from job_history_airflow.factories.destinations import s3_destination
from job_history_airflow.operators.load_base import LoadOperator, is_repair

if TYPE_CHECKING:
    from airflow.sdk import Context


class LoadToS3Operator(LoadOperator):
    """Puts a slice's staged documents into the account's bucket, each once."""

    def destination(self, slice_: Slice, account: Account, context: Context) -> Destination:  # noqa: ARG002
        return s3_destination(
            account,
            in_flight=self.settings.upload_concurrency,
            repair=is_repair(context),
        )
