"""Compare source, receipts and destination over the look-back, and say which windows are to be run again."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from job_history.accounts.account import Account
from job_history.destinations import Listable
from job_history.ledger.items import item_lists
from job_history.ledger.lateness import Lateness, all_of
from job_history.ledger.receipt import Receipt, WindowState
from job_history.model.event_kind import EventKind
from job_history.model.record import Record
from job_history.model.window import Window
from job_history.reconciliation.against_source import compared_with_source
from job_history.reconciliation.expected_objects import Damage, expected_objects
from job_history.reconciliation.findings import MAX_EXAMPLES, Findings, WindowFinding
from job_history.sources import RemoteSource
from job_history.storage import Storage

log = logging.getLogger(__name__)

# A database that lets connections run into the void takes two minutes to fail, and many accounts may be in it.
FAILED_COUNT_LIMIT_SECONDS = 300.0
ONCE_MENDED = "Run the reconciliation again once this is mended."

Told = list[tuple[WindowFinding, Receipt | None]]


def reconcile(
    *,
    destination: str,
    hours: Window,
    accounts: Iterable[Account],
    ledger: Storage,
    source_of: Callable[[Account, EventKind], RemoteSource[Record]],
    bucket_of: Callable[[Account], Listable] | None,
    repair: bool,
    clock: Callable[[], float] = time.monotonic,
) -> Findings:
    """Compare each account that is not paused. What is wrong with one is told among the faults, and stops no other.

    `bucket_of` is None for destinations that cannot be listed. `repair`: windows whose objects are lost or altered are run
    again as well. `clock` counts seconds.
    """
    to_compare = [account for account in accounts if account.enabled]
    log.info(
        "Asked for: %s accounts with destination %s, hours of %s, compared with their sources%s.",
        len(to_compare),
        destination,
        hours,
        " and buckets" if bucket_of else "; this destination cannot be read",
    )
    findings = Findings(destination=destination, window=hours, repair=repair)
    lateness: list[Lateness] = []
    patience: defaultdict[str, float] = defaultdict(lambda: FAILED_COUNT_LIMIT_SECONDS)
    for account in to_compare:
        its_source = account.source.model_dump_json()
        for kind in account.events.kinds:
            comparison = _Comparison(account, kind, ledger, findings)
            if patience[its_source] <= 0:
                comparison.is_left_out()
                continue
            began, faults = clock(), len(findings.faults)
            reported = comparison.with_source(hours, source_of)
            patience[its_source] -= clock() - began if len(findings.faults) > faults else 0
            if bucket_of is not None:
                comparison.with_bucket(reported, bucket_of)
            lateness += [receipt.lateness for finding, receipt in reported if receipt and not finding.is_run]
            findings.windows += [finding for finding, _ in reported if _worth_telling(finding)]
            _log_comparison(account, kind, [finding for finding, _ in reported])
    findings.lateness = all_of(lateness)
    log.info(
        "Compared %s windows with their sources, and %s objects with their buckets. %s windows are run again.",
        f"{findings.compared:,}",
        f"{findings.objects:,}",
        f"{len(findings.to_run()):,}",
    )
    return findings


def _log_comparison(account: Account, kind: EventKind, reported: list[WindowFinding]) -> None:
    log.info(
        "Account %s: %s hours compared; missing %s, gone %s, lost %s, altered %s; %s hours are run again.",
        kind.of(account.label),
        sum(finding.compared for finding in reported),
        sum(finding.missing for finding in reported),
        sum(finding.gone for finding in reported),
        sum(finding.lost for finding in reported),
        sum(finding.altered for finding in reported),
        sum(finding.is_run for finding in reported),
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

    def is_left_out(self) -> None:
        self.findings.faults.append(
            f"{self._whose}: not compared, because others of its source waited for it in vain, for {FAILED_COUNT_LIMIT_SECONDS:.0f} "
            f"seconds and more. {ONCE_MENDED}"
        )

    def with_source(self, hours: Window, source_of: Callable[[Account, EventKind], RemoteSource[Record]]) -> Told:
        reported: Told = []
        try:
            source = source_of(self.account, self.kind)
            for each in compared_with_source(self.account, self.kind, hours, source, self.ledger):
                reported.append(each)  # what was compared before a fault counts
        except Exception as fault:  # noqa: BLE001 - whatever it is, it is this account's, and stops no other
            self.findings.faults.append(
                f"{self._whose}: {len(reported)} hours of {hours} could be compared with the source, the others not: {fault} "
                f"{ONCE_MENDED}"
            )
        self.findings.compared += sum(finding.compared for finding, _ in reported)
        return reported

    def with_bucket(self, reported: Told, bucket_of: Callable[[Account], Listable]) -> None:
        by_window = {finding.window.slug: finding for finding, _ in reported}
        try:
            bucket = bucket_of(self.account)
            with expected_objects() as expected:
                # Also of windows that are not closed: what an earlier run delivered is there to stay. The newest list of a
                # window comes first, and has the last word.
                lists = [
                    (finding.window.slug, path)
                    for finding, receipt in reported
                    if receipt is not None
                    for path in reversed(receipt.items)
                ]
                each_items = item_lists(self.ledger, [path for _, path in lists], bucket.description())
                for (window, _), items in zip(lists, each_items, strict=True):
                    expected.add(window, items)
                self.findings.objects += len(expected)
                for folder in expected.folders():
                    expected.note(bucket.listing(folder))
                for damage in expected.damages():
                    _add(damage, by_window[damage.window])
        except Exception as fault:  # noqa: BLE001 - as above
            self.findings.faults.append(
                f"{self._whose}: its objects could not be compared with the receipts: {fault} {ONCE_MENDED}"
            )
        for finding in by_window.values():
            finding.is_run |= self.findings.repair and finding.damaged > 0


def _add(damage: Damage, finding: WindowFinding) -> None:
    finding.lost += damage.is_lost
    finding.altered += not damage.is_lost
    if len(finding.damaged_keys) < MAX_EXAMPLES:
        finding.damaged_keys.append(damage.key)


def _worth_telling(finding: WindowFinding) -> bool:
    return bool(finding.is_run or finding.gone or finding.damaged or finding.state == WindowState.UNRECOVERABLE)
