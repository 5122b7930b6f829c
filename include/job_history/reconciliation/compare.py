"""Compares source, receipts and destination of accounts over the look-back."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property

from job_history.accounts.account import Account
from job_history.destinations import Listable
from job_history.errors import ReplicationError
from job_history.ledger.lateness import all_of
from job_history.ledger.open_windows import OpenWindow, OpenWindows
from job_history.ledger.receipt import Receipt, WindowState
from job_history.ledger.receipts_in_bulk import AskedReceipts, read_receipts_in_bulk
from job_history.ledger.status_file import AccountStatus
from job_history.model.event_kind import EventKind
from job_history.model.record import Record
from job_history.model.window import Window
from job_history.reconciliation.against_bucket import Compared, InBucket, OnDamage, compared_with_bucket, names_objects
from job_history.reconciliation.against_source import Ids, compared_with_source, ids_of, no_ids
from job_history.reconciliation.findings import Findings
from job_history.reconciliation.listings import LISTINGS_AT_ONCE
from job_history.reconciliation.patience import FAILED_SECONDS, Patience
from job_history.reconciliation.windows_to_run import needs_no_run
from job_history.sources import RemoteSource
from job_history.sources.count_batch import Counted, count_batch
from job_history.storage import Storage

log = logging.getLogger(__name__)

RUN_AGAIN = "Run the reconciliation again once this is fixed."
BUCKETS_AT_ONCE = 8

SourceOf = Callable[[Account, EventKind], RemoteSource[Record]]


@dataclass(frozen=True, kw_only=True)
class Comparing:
    """How the accounts with one kind of destination are compared.

    Hours without a receipt are marked as open before the source is asked. `own_hours`: those of accounts, by user_id,
    that are looked back for further, because they could not be compared the last time. `bucket_of` is None for
    destinations that cannot be listed. `one_question` makes a context in which a source may take so long for an
    account; it raises an Exception. `clock` is in seconds.
    """

    destination: str
    hours: Window
    ledger: Storage
    source_of: SourceOf
    bucket_of: Callable[[Account], Listable] | None
    marks: OpenWindows
    own_hours: Mapping[int, Window] = field(default_factory=dict)
    one_question: Callable[[], AbstractContextManager[None]] = nullcontext
    clock: Callable[[], float] = time.monotonic

    @cached_property
    def patience(self) -> Patience:
        return Patience(self.clock)

    def new_findings(self) -> Findings:
        return Findings(destination=self.destination, window=self.hours, is_readable=self.bucket_of is not None)

    def compare(self, accounts: Iterable[Account], on_damage: OnDamage = lambda _finding, _key: None) -> Findings:
        """Compare each account that is not paused. An error of one account is among the faults, and stops no other.

        `on_damage` is called with each object that is lost or altered, from several threads.

        The receipts of all of them are in memory at once.
        """
        findings = self.new_findings()
        all_of_them = [
            _Comparison(account, kind, self, findings, on_damage)
            for account in accounts
            if account.enabled
            for kind in account.events.kinds
        ]
        read = read_receipts_in_bulk(
            self.ledger, [AskedReceipts(each.account.user_id, each.kind, [*each.hours.hours()]) for each in all_of_them]
        )
        with_receipts = [
            (each, receipts)
            for each, found in zip(all_of_them, read, strict=True)
            if (receipts := each.noted(found)) is not None
        ]
        began = self.clock()
        counted = count_batch(
            [(each.account, each.kind, each.hours) for each, _ in with_receipts],
            self.source_of,
            is_over=lambda: self.clock() - began > FAILED_SECONDS,
            one_question=self.one_question,
        )
        with (
            ThreadPoolExecutor(LISTINGS_AT_ONCE, "listings") as listings,
            ThreadPoolExecutor(BUCKETS_AT_ONCE, "buckets") as buckets,
        ):
            in_bucket: list[tuple[_Comparison, Compared, Future[InBucket] | None]] = []
            for each, receipts in with_receipts:
                if (reported := self._with_source(each, receipts, counted)) is not None:
                    in_bucket.append((each, reported, each.with_bucket(reported, buckets, listings)))
            for each, reported, found_there in in_bucket:
                each.finish(reported, found_there)
        for status in findings.accounts:
            if status.key not in findings.not_compared:
                status.compared_until = self.hours.end
        return findings

    def _with_source(self, each: _Comparison, receipts: list[Receipt | None], counted: Counted) -> Compared | None:
        """Compare an account with its source, unless accounts before it have used up the time for failures."""
        its_source = each.account.source.model_dump_json()
        if self.patience.is_over(its_source):
            each.skip()
            return None
        faults = len(each.findings.faults)
        with self.patience.tried(its_source, lambda: len(each.findings.faults) > faults):
            return each.with_source(receipts, counted.get((each.account.user_id, each.kind, each.hours)))


@dataclass(frozen=True)
class _Comparison:
    """One account and kind of event."""

    account: Account
    kind: EventKind
    how: Comparing
    findings: Findings
    on_damage: OnDamage

    @property
    def hours(self) -> Window:
        return self.how.own_hours.get(self.account.user_id, self.how.hours)

    def skip(self) -> None:
        self._not_compared(
            f"skipped, because the source already timed out for other accounts ({FAILED_SECONDS:.0f} s in total)."
        )

    def _not_compared(self, problem: str) -> None:
        self.findings.not_compare(self.account.user_id, self.account.name, self.kind, f"{problem} {RUN_AGAIN}")

    def noted(self, found: list[Receipt | None] | ReplicationError) -> list[Receipt | None] | None:
        """Add the account's status, and mark hours that are open; None, and a fault, if a receipt cannot be read."""
        status = AccountStatus(user_id=self.account.user_id, name=self.account.name, kind=self.kind)
        self.findings.accounts.append(status)
        try:
            if isinstance(found, ReplicationError):
                raise found
            self._mark(found)
        except ReplicationError as error:
            self._not_compared(f"its receipts of {self.hours} cannot be read: {error}")
            return None
        for receipt in found:
            if receipt is not None:
                status.add(receipt)
        return found

    def _mark(self, receipts: list[Receipt | None]) -> None:
        windows = [OpenWindow(self.account.user_id, self.kind, hour) for hour in self.hours.hours()]
        with_receipts = list(zip(windows, receipts, strict=True))
        # One that failed has a mark already, unless an earlier release ran it.
        self.how.marks.mark(
            each for each, receipt in with_receipts if receipt is None or receipt.state is WindowState.FAILED
        )
        self.how.marks.settle(receipt for receipt in receipts if receipt is not None and needs_no_run(receipt))

    def with_source(self, receipts: list[Receipt | None], counted: int | None) -> Compared:
        hours = self.hours
        reported: Compared = []
        try:
            with self.how.one_question(), self._ids(counted) as ids:
                for each in compared_with_source(
                    self.account, self.kind, hours, ids, self.how.ledger, receipts=receipts
                ):
                    reported.append(each)  # hours that were compared before an error count
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this account's, and stops no other
            self._not_compared(
                f"{len(reported)} hours of {hours} could be compared with the source, the others not: {error}"
            )
        self.findings.compared += sum(finding.compared for finding, _ in reported)
        return reported

    def _ids(self, counted: int | None) -> AbstractContextManager[Ids]:
        # Most accounts have no job: they need no connection of their own.
        if counted == 0:
            return nullcontext(no_ids)
        return ids_of(self.account, self.hours, self.how.source_of(self.account, self.kind), counted)

    def with_bucket(self, reported: Compared, buckets: Executor, listings: Executor) -> Future[InBucket] | None:
        """Begin to compare the account with its bucket; None: there is nothing to compare."""
        if self.how.bucket_of is None or not names_objects(reported):
            return None
        try:
            # Here, because Airflow's connections are looked up through one channel.
            bucket = self.how.bucket_of(self.account)
        except Exception as error:  # noqa: BLE001 - as above
            self._bucket_fault(error)
            return None
        return buckets.submit(self._in_bucket, reported, bucket, listings)

    def _in_bucket(self, reported: Compared, bucket: Listable, listings: Executor) -> InBucket:
        """Compare, unless accounts before it have used up the time for failures of their connection."""
        settings, ledger = self.account.destination, self.how.ledger
        with self.how.patience.tried(f"store {getattr(settings, 'conn_id', None) or settings.model_dump_json()}"):
            return compared_with_bucket(
                reported, self.hours, bucket, ledger, on_damage=self.on_damage, listings=listings
            )

    def finish(self, reported: Compared, in_bucket: Future[InBucket] | None) -> None:
        """Add the account's windows to the findings, once its bucket has been compared."""
        if in_bucket is not None:
            try:
                found = in_bucket.result()
            except Exception as error:  # noqa: BLE001 - as above
                self._bucket_fault(error)
            else:
                self.findings.objects += found.objects
                if found.unknown.count:
                    self.findings.unknown[self.kind.of(self.account.label)] = found.unknown
        self._add_windows(reported)

    def _bucket_fault(self, error: Exception) -> None:
        self.findings.behind.add(self.account.user_id)
        self.findings.faults.append(
            f"Account {self.kind.of(self.account.label)}: its objects could not be compared with the receipts: {error} "
            f"{RUN_AGAIN}"
        )

    def _add_windows(self, reported: Compared) -> None:
        for finding, receipt in reported:
            lateness = receipt.lateness if receipt is not None and receipt.lateness.jobs else None
            if finding.is_any:
                finding.lateness = lateness
                self.findings.windows.append(finding)
            elif lateness is not None:
                self.findings.lateness = all_of([self.findings.lateness, lateness])
        log.info(
            "Account %s: %s hours compared; missing %s, gone %s, lost %s, altered %s.",
            self.kind.of(self.account.label),
            sum(finding.compared for finding, _ in reported),
            sum(finding.missing for finding, _ in reported),
            sum(finding.gone for finding, _ in reported),
            sum(finding.lost for finding, _ in reported),
            sum(finding.altered for finding, _ in reported),
        )
