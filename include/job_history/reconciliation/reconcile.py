"""Compares source, receipts and destination over the look-back, and decides which windows to run again."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from job_history.accounts.account import Account
from job_history.destinations import Listable
from job_history.errors import ReplicationError
from job_history.ledger.lateness import Lateness, all_of
from job_history.ledger.open_windows import OpenWindow, OpenWindows
from job_history.ledger.receipt import Receipt, WindowState
from job_history.ledger.receipt_store import read_receipts
from job_history.ledger.status_file import AccountStatus
from job_history.model.event_kind import EventKind
from job_history.model.record import Record
from job_history.model.window import Window
from job_history.reconciliation.against_bucket import Compared, OnDamage, compared_with_bucket
from job_history.reconciliation.against_source import compared_with_source
from job_history.reconciliation.findings import OPEN, Findings, WindowFinding
from job_history.reconciliation.windows_to_run import Choice, choose_windows, needs_no_run
from job_history.sources import RemoteSource
from job_history.storage import Storage

log = logging.getLogger(__name__)

# An unreachable database takes about 2 minutes per connection to time out, and many accounts may share it.
FAILED_COUNT_LIMIT_SECONDS = 300.0
RUN_AGAIN = "Run the reconciliation again once this is fixed."


def reconcile(
    *,
    destination: str,
    hours: Window,
    accounts: Iterable[Account],
    ledger: Storage,
    source_of: Callable[[Account, EventKind], RemoteSource[Record]],
    bucket_of: Callable[[Account], Listable] | None,
    repair: bool,
    marks: OpenWindows,
    choice: Choice,
    on_damage: OnDamage = lambda _finding, _key: None,
    clock: Callable[[], float] = time.monotonic,
) -> Findings:
    """Compare each account that is not paused. An error of one account is among the faults, and stops no other.

    Hours without a receipt are marked as open before the source is asked. `bucket_of` is None for destinations that
    cannot be listed. `repair`: windows with lost or altered objects are run again too. `on_damage` is called with each
    of these objects. `clock` is in seconds.
    """
    to_compare = [account for account in accounts if account.enabled]
    log.info(
        "Asked for: %s accounts with destination %s, hours of %s, compared with their sources%s.",
        len(to_compare),
        destination,
        hours,
        " and buckets" if bucket_of else "; this destination cannot be read",
    )
    findings = Findings(destination=destination, window=hours, repair=repair, is_readable=bucket_of is not None)
    lateness: list[tuple[WindowFinding, Lateness]] = []
    time_left: defaultdict[str, float] = defaultdict(lambda: FAILED_COUNT_LIMIT_SECONDS)
    for account in to_compare:
        its_source = account.source.model_dump_json()
        for kind in account.events.kinds:
            comparison = _Comparison(account, kind, ledger, findings)
            receipts = comparison.receipts_of(hours, marks)
            if receipts is None:
                continue
            if time_left[its_source] <= 0:
                comparison.skip()
                continue
            began, faults = clock(), len(findings.faults)
            reported = comparison.with_source(hours, source_of, receipts)
            time_left[its_source] -= clock() - began if len(findings.faults) > faults else 0
            if bucket_of is not None:
                comparison.with_bucket(reported, hours, bucket_of, on_damage)
            lateness += [(finding, receipt.lateness) for finding, receipt in reported if receipt]
            findings.windows += [finding for finding, _ in reported if _has_findings(finding)]
            _log_comparison(account, kind, [finding for finding, _ in reported])
    choose_windows(findings, marks, ledger, choice)
    findings.lateness = all_of([late for finding, late in lateness if not finding.is_run])
    log.info(
        "Compared %s windows with their sources, and %s objects with their buckets. %s windows are run again.",
        f"{findings.compared:,}",
        f"{findings.objects:,}",
        f"{len(findings.to_run()):,}",
    )
    return findings


def _log_comparison(account: Account, kind: EventKind, reported: list[WindowFinding]) -> None:
    log.info(
        "Account %s: %s hours compared; missing %s, gone %s, lost %s, altered %s.",
        kind.of(account.label),
        sum(finding.compared for finding in reported),
        sum(finding.missing for finding in reported),
        sum(finding.gone for finding in reported),
        sum(finding.lost for finding in reported),
        sum(finding.altered for finding in reported),
    )


@dataclass(frozen=True)
class _Comparison:
    """One account and kind of event."""

    account: Account
    kind: EventKind
    ledger: Storage
    findings: Findings

    @property
    def _whose(self) -> str:
        return f"Account {self.kind.of(self.account.label)}"

    def skip(self) -> None:
        self._not_compared(
            f"skipped, because the source already timed out for other accounts ({FAILED_COUNT_LIMIT_SECONDS:.0f} s in "
            "total)."
        )

    def _not_compared(self, problem: str) -> None:
        self.findings.not_compared.add(f"{self.account.user_id}/{self.kind}")
        self.findings.faults.append(f"{self._whose}: {problem} {RUN_AGAIN}")

    def receipts_of(self, hours: Window, marks: OpenWindows) -> list[Receipt | None] | None:
        """Read the receipts of these hours, and mark those that are open; None, and a fault, if one cannot be read."""
        of_hours = [OpenWindow(self.account.user_id, self.kind, hour) for hour in hours.hours()]
        status = AccountStatus(user_id=self.account.user_id, name=self.account.name, kind=self.kind)
        try:
            receipts = read_receipts(self.ledger, self.account.user_id, self.kind, [each.window for each in of_hours])
            with_receipts = list(zip(of_hours, receipts, strict=True))
            # One that failed has a mark already, unless an earlier release ran it.
            marks.mark(
                each for each, receipt in with_receipts if receipt is None or receipt.state is WindowState.FAILED
            )
            marks.remove(each for each, receipt in with_receipts if receipt is not None and needs_no_run(receipt))
        except ReplicationError as error:
            self._not_compared(f"its receipts of {hours} cannot be read: {error}")
            return None
        finally:
            self.findings.accounts.append(status)
        for receipt in receipts:
            if receipt is not None:
                status.add(receipt)
        return receipts

    def with_source(
        self,
        hours: Window,
        source_of: Callable[[Account, EventKind], RemoteSource[Record]],
        receipts: list[Receipt | None],
    ) -> Compared:
        reported: Compared = []
        try:
            source = source_of(self.account, self.kind)
            for each in compared_with_source(self.account, self.kind, hours, source, self.ledger, receipts=receipts):
                reported.append(each)  # hours that were compared before an error count
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this account's, and stops no other
            self._not_compared(
                f"{len(reported)} hours of {hours} could be compared with the source, the others not: {error}"
            )
        self.findings.compared += sum(finding.compared for finding, _ in reported)
        return reported

    def with_bucket(
        self, reported: Compared, hours: Window, bucket_of: Callable[[Account], Listable], on_damage: OnDamage
    ) -> None:
        try:
            bucket = bucket_of(self.account)
            objects, unknown = compared_with_bucket(reported, hours, bucket, self.ledger, on_damage)
        except Exception as error:  # noqa: BLE001 - as above
            self.findings.faults.append(
                f"{self._whose}: its objects could not be compared with the receipts: {error} {RUN_AGAIN}"
            )
            return
        self.findings.objects += objects
        if unknown.count:
            self.findings.unknown[self.kind.of(self.account.label)] = unknown


def _has_findings(finding: WindowFinding) -> bool:
    return bool(
        finding.missing
        or finding.gone
        or finding.damaged
        or finding.state in {OPEN, WindowState.FAILED, WindowState.UNRECOVERABLE}
    )
