"""Logs the findings of a reconciliation, and returns the problems that are left."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping

from job_history.ledger.lateness import BUCKETS, Lateness, all_of
from job_history.ledger.open_windows import OpenWindow
from job_history.ledger.receipt import Receipt, WindowState
from job_history.reconciliation.findings import Findings, Objects, WindowFinding
from job_history.tables import text_table

log = logging.getLogger(__name__)

MAX_ROWS = 200
MAX_WORTH_WAITING_MINUTES = 6 * 60


def log_findings(
    several: list[Findings], receipts: Iterable[Receipt], left: Mapping[OpenWindow, Objects] | None = None
) -> list[str]:
    """Log the findings as tables, and return the problems that a user must act on.

    `receipts` are those of the windows that were run again; `left`: of the objects that were to be repaired, those that
    were not seen to be back.
    """
    windows = [finding for findings in several for finding in findings.windows]
    for findings in [findings for findings in several if findings.compared or findings.windows]:
        log.info(
            "%s, %s: %s windows compared with the source; %s.",
            findings.destination,
            findings.window,
            f"{findings.compared:,}",
            f"{findings.objects:,} objects compared with the bucket"
            if findings.is_readable
            else "this destination cannot be read, so its receipts are the only record",
        )
    if windows:
        log.info("\n%s", _table(windows[:MAX_ROWS]))
        if len(windows) > MAX_ROWS:
            log.info("... and %s windows more.", f"{len(windows) - MAX_ROWS:,}")
    else:
        log.info("Nothing is missing, lost or altered.")
    _log_lateness(several, receipts)
    return (
        [fault for findings in several for fault in findings.faults]
        + [
            _not_repaired(finding, left[window]) if left and window in left else _damaged(finding)
            for findings in several
            for finding in findings.windows
            if finding.damaged
            for window in [OpenWindow(finding.user_id, finding.kind, finding.window)]
            if not (findings.repair and finding.is_run) or (left and window in left)
        ]
        + [_unknown(label, objects) for findings in several for label, objects in findings.unknown.items()]
    )


def _table(windows: list[WindowFinding]) -> str:
    return text_table(
        ["account", "kind", "window", "was", "missing", "gone", "lost", "altered", "run again", "for example"],
        (
            [
                f"{finding.user_id} {finding.name}",
                finding.kind,
                finding.window.start_text,
                finding.state,
                finding.missing,
                finding.gone,
                finding.lost,
                finding.altered,
                "yes" if finding.is_run else "no",
                next(iter([*finding.missing_ids, *finding.damaged_keys]), ""),
            ]
            for finding in windows
        ),
    )


def _damaged(finding: WindowFinding) -> str:
    return (
        f"{_where(finding)}: of the objects that were delivered, {finding.lost:,} are lost and {finding.altered:,} "
        f"altered ({', '.join(finding.damaged_keys)}). If this was not intended, run job_history_reconciliation by "
        "hand with repair switched on."
    )


def _not_repaired(finding: WindowFinding, left: Objects) -> str:
    return (
        f"{_where(finding)}: of the objects that were delivered, {finding.lost:,} were lost and {finding.altered:,} "
        f"altered, and {left.count:,} of them were not seen to be back ({', '.join(left.keys)}). If the window failed, "
        "run the repair again; otherwise the source no longer has their records: restore the objects from a copy of "
        "the bucket."
    )


def _unknown(label: str, objects: Objects) -> str:
    return (
        f"Account {label}: {objects.count:,} unknown objects are in the bucket, which no receipt names "
        f"({', '.join(objects.keys)}). They were left as they are. Find out what wrote them; job-history diff looks "
        "at all folders of an hour."
    )


def _where(finding: WindowFinding) -> str:
    return finding.label[0].upper() + finding.label[1:]


def _log_lateness(several: list[Findings], receipts: Iterable[Receipt]) -> None:
    lateness = all_of(
        [findings.lateness for findings in several]
        + [each.lateness for each in receipts if each.state is not WindowState.FAILED and each.lateness.jobs]
    )
    if not lateness.jobs:
        log.info("No job of these windows was late.")
        return
    histogram = text_table(
        ["after its end", "still unseen", "found"],
        ([bucket, lateness.unseen_after.get(bucket, 0), lateness.found_after.get(bucket, 0)] for bucket in BUCKETS),
    )
    log.warning(
        "%s jobs of these windows were late: the source did not list them yet when their own hour ran.\n%s\n%s",
        f"{lateness.jobs:,}",
        histogram,
        _advice(lateness),
    )


def _advice(lateness: Lateness) -> str:
    minutes = math.ceil(lateness.longest_unseen_seconds / 60)
    if minutes > MAX_WORTH_WAITING_MINUTES:
        return (
            f"One was still unseen {minutes / 60:,.0f} hours after its end: only the reconciliation finds such jobs, "
            "waiting does not."
        )
    return f"Setting [job_history] settle_minutes above {minutes} would have prevented all of these late jobs."
