"""Compares source, receipts and destination over the look-back, and decides which windows to run again."""

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

# An unreachable database takes about 2 minutes per connection to time out, and many accounts may share it.
FAILED_COUNT_LIMIT_SECONDS = 300.0
RUN_AGAIN = "Run the reconciliation again once this is fixed."

Compared = list[tuple[WindowFinding, Receipt | None]]


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
    """Compare each account that is not paused. An error of one account is among the faults, and stops no other.

    `bucket_of` is None for destinations that cannot be listed. `repair`: windows with lost or altered objects are run
    again too. `clock` is in seconds.
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
    time_left: defaultdict[str, float] = defaultdict(lambda: FAILED_COUNT_LIMIT_SECONDS)
    for account in to_compare:
        its_source = account.source.model_dump_json()
        for kind in account.events.kinds:
            comparison = _Comparison(account, kind, ledger, findings)
            if time_left[its_source] <= 0:
                comparison.skip()
                continue
            began, faults = clock(), len(findings.faults)
            reported = comparison.with_source(hours, source_of)
            time_left[its_source] -= clock() - began if len(findings.faults) > faults else 0
            if bucket_of is not None:
                comparison.with_bucket(reported, bucket_of)
            lateness += [receipt.lateness for finding, receipt in reported if receipt and not finding.is_run]
            findings.windows += [finding for finding, _ in reported if _has_findings(finding)]
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

    def skip(self) -> None:
        self.findings.faults.append(
            f"{self._whose}: skipped, because the source already timed out for other accounts "
            f"({FAILED_COUNT_LIMIT_SECONDS:.0f} s in total). {RUN_AGAIN}"
        )

    def with_source(self, hours: Window, source_of: Callable[[Account, EventKind], RemoteSource[Record]]) -> Compared:
        reported: Compared = []
        try:
            source = source_of(self.account, self.kind)
            for each in compared_with_source(self.account, self.kind, hours, source, self.ledger):
                reported.append(each)  # hours that were compared before an error count
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this account's, and stops no other
            self.findings.faults.append(
                f"{self._whose}: {len(reported)} hours of {hours} could be compared with the source, the others not: "
                f"{error} {RUN_AGAIN}"
            )
        self.findings.compared += sum(finding.compared for finding, _ in reported)
        return reported

    def with_bucket(self, reported: Compared, bucket_of: Callable[[Account], Listable]) -> None:
        by_window = {finding.window.slug: finding for finding, _ in reported}
        try:
            bucket = bucket_of(self.account)
            with expected_objects() as expected:
                # Also for windows that are not closed: what an earlier run delivered stays there. The newest list of a
                # window is added last, and wins.
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
        except Exception as error:  # noqa: BLE001 - as above
            self.findings.faults.append(
                f"{self._whose}: its objects could not be compared with the receipts: {error} {RUN_AGAIN}"
            )
        for finding in by_window.values():
            finding.is_run |= self.findings.repair and finding.damaged > 0


def _add(damage: Damage, finding: WindowFinding) -> None:
    finding.lost += damage.is_lost
    finding.altered += not damage.is_lost
    if len(finding.damaged_keys) < MAX_EXAMPLES:
        finding.damaged_keys.append(damage.key)


def _has_findings(finding: WindowFinding) -> bool:
    return bool(finding.is_run or finding.gone or finding.damaged or finding.state == WindowState.UNRECOVERABLE)
