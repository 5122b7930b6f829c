"""Extract, transform and load of one slice, with the settings and connections of this Airflow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from job_history.accounts.account import Account
from job_history.errors import PermanentError
from job_history.model.slice import Slice
from job_history.pipeline.results import Extracted, SliceOutcome, Transformed
from job_history.pipeline.worker_clock import StagingClock
from job_history_airflow.factories.redaction import redaction_of
from job_history_airflow.factories.sources import source_of
from job_history_airflow.operators.run_places import RunPlaces

if TYPE_CHECKING:
    from airflow.sdk import Context


def is_repair(context: Context) -> bool:
    """Return whether a run compares all bytes: by the hourly run's parameter, or the reconciliation's."""
    return context["params"].get("mode") == "repair" or bool(context["params"].get("repair"))


@dataclass(frozen=True)
class Steps(RunPlaces):
    """`repair`: replace objects with other bytes. `sends_all`: send again what cannot be recognised as a repeat."""

    repair: bool
    sends_all: bool
    staging_clock: StagingClock

    @classmethod
    def of(cls, context: Context) -> Steps:
        """Read the settings for a task."""
        places = RunPlaces.of(context)
        return cls(
            **vars(places),
            staging_clock=StagingClock(places.staging),
            repair=is_repair(context),
            sends_all=context["params"].get("mode") == "repair",
        )

    def extract(self, slice_: Slice, account: Account) -> Extracted:
        from job_history.pipeline.extract import extract

        source = source_of(
            account,
            slice_.kind,
            max_document_bytes=self.settings.max_document_bytes,
            staging=self.staging,
            slice_=slice_,
        )
        before = datetime.now(UTC)
        extracted = extract(slice_, account, source, self.staging)
        if extracted.clock_off is None:
            extracted.clock_off = self.staging_clock.off(extracted.path, before)
        return extracted

    def transform(self, slice_: Slice, account: Account, extracted: Extracted) -> Transformed:
        from job_history.pipeline.transform import transform

        return transform(
            slice_,
            account,
            extracted,
            staging=self.staging,
            ledger=self.ledger,
            max_document_bytes=self.settings.max_document_bytes,
            redaction=redaction_of(account),
        )

    def load(self, slice_: Slice, account: Account, extracted: Extracted, transformed: Transformed) -> SliceOutcome:
        """Deliver to whichever kind of destination the account has."""
        from job_history.destinations.kind import kind_of
        from job_history.pipeline.load import load
        from job_history.preflight.notes import PreflightNotes
        from job_history_airflow.factories.destinations import opening_of

        kind = kind_of(account)
        repair = self.repair if kind.recognises_repeats else self.sends_all
        opening = opening_of(self.settings, slice_, self.ledger, repair=repair)
        try:
            return load(
                slice_,
                account,
                extracted=extracted,
                transformed=transformed,
                destination=kind.open(account, opening),
                staging=self.staging,
                ledger=self.ledger,
                repair=self.repair,
                skip_delivered=not kind.recognises_repeats and not self.sends_all,
                count_repeats=not kind.recognises_repeats and self.sends_all,
            )
        except PermanentError:
            # The destination passed its preflight once and fails now: the next run checks it before it reads the
            # source.
            PreflightNotes(self.ledger).forget_passed(account)
            raise
