"""The hours of a chain: what each window was sealed as, and whether any hour of the range has no seal."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import datetime, timezone

from job_history_verify.archive import Archive
from job_history_verify.chain import Chain
from job_history_verify.findings import Finding, Findings
from job_history_verify.judge import Range
from job_history_verify.layout import RECEIPTS
from job_history_verify.moments import moment_text
from job_history_verify.seal import DISABLED, FAILED, UNRECOVERABLE, WindowOfSeal
from job_history_verify.verdicts import Verdict

_OF_STATE = {
    FAILED: (Verdict.FAILED, "it is open: what it should hold was not all delivered"),
    UNRECOVERABLE: (Verdict.UNRECOVERABLE, "the source no longer held its records"),
    DISABLED: (Verdict.DISABLED, "the account was paused"),
}
_RECEIPT = re.compile(r"[0-9]{8}/([0-9]{8}T[0-9]{6})Z-([0-9]{8}T[0-9]{6})Z/(?:r([0-9]+)|receipt)\.json")


def judge_hours(chain: Chain, hours: Range, findings: Findings) -> None:
    """Report the windows of a chain that are not closed, and the hours that no seal is about."""
    covered = hours.since
    for window in sorted(chain.windows):
        if window.start not in hours:
            continue
        if covered is not None and window.start > covered:
            _report_gap(chain, covered, window.start, findings)
        covered = window.end if covered is None else max(covered, window.end)
        newest = chain.windows[window]
        if newest.state in _OF_STATE:
            verdict, detail = _OF_STATE[newest.state]
            findings.of_window(_finding(verdict, detail, chain, window, newest.seq))
        else:
            findings.windows[chain.verdict_of(newest.seq)] += 1
    if hours.until is not None and (covered is None or covered < hours.until):
        _report_gap(chain, covered or hours.until, hours.until, findings)


def judge_receipts(archive: Archive, chain: Chain, hours: Range, findings: Findings) -> None:
    """Report receipts whose newest revision is not sealed. An archive of documents has none; the ledger does."""
    for window, revision, key in _newest_receipts(archive, chain):
        if window.start not in hours:
            continue
        newest = chain.windows.get(window)
        if newest is None or newest.revision < revision:
            detail = f"revision {revision} of the receipt has no seal"
            findings.of_window(_finding(Verdict.UNSEALED, detail, chain, window, None)._replace(key=key))
        elif newest.revision > revision:
            detail = f"revision {newest.revision} of the receipt was sealed, and is not here"
            findings.of_window(_finding(Verdict.MISSING, detail, chain, window, newest.seq)._replace(key=key))
        elif hashlib.sha256(archive.read(key) or b"").hexdigest() != newest.receipt_sha256:
            detail = "the receipt has other bytes than were sealed"
            findings.of_window(_finding(Verdict.MODIFIED, detail, chain, window, newest.seq)._replace(key=key))


def _newest_receipts(archive: Archive, chain: Chain) -> Iterator[tuple[WindowOfSeal, int, str]]:
    """Yield for each window with receipts the newest revision and its key; a receipt.json is revision 0."""
    folder = f"{RECEIPTS}{chain.id}"
    newest: tuple[WindowOfSeal, int, str] | None = None
    for key in archive.keys(folder):
        match = _RECEIPT.fullmatch(key[len(folder) + 1 :])
        if match is None:
            continue
        window, revision = WindowOfSeal(_moment(match[1]), _moment(match[2])), int(match[3] or 0)
        if newest is not None and newest[0] != window:
            yield newest
            newest = None
        if newest is None or revision > newest[1]:
            newest = (window, revision, key)
    if newest is not None:
        yield newest


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=timezone.utc)


def _report_gap(chain: Chain, start: datetime, end: datetime, findings: Findings) -> None:
    hours = WindowOfSeal(start, end)
    findings.of_window(_finding(Verdict.GAP, "no seal is about these hours", chain, hours, None))


def _finding(verdict: Verdict, detail: str, chain: Chain, window: WindowOfSeal, seq: int | None) -> Finding:
    start, end = moment_text(window.start), moment_text(window.end)
    return Finding(verdict, detail, chain.id, seq, start=start, end=end)
