"""The hours of a chain: what each window was sealed as, and whether any hour of the range has no seal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone

from job_history_verify.archive import Archive, reason_of
from job_history_verify.chain import Chain
from job_history_verify.findings import Finding, Findings
from job_history_verify.judge import Range
from job_history_verify.layout import RECEIPTS
from job_history_verify.moments import moment_text, whole_hour_from
from job_history_verify.seal import DISABLED, FAILED, UNRECOVERABLE, WindowOfSeal
from job_history_verify.seal_files import chain_ids
from job_history_verify.verdicts import Verdict

_OF_STATE = {
    FAILED: (Verdict.FAILED, "it is open: what it should hold was not all delivered"),
    UNRECOVERABLE: (Verdict.UNRECOVERABLE, "the source no longer held its records"),
    DISABLED: (Verdict.DISABLED, "the account was paused"),
}
_RECEIPT = re.compile(r"([0-9]{8})/(\1T[0-9]{6})Z-([0-9]{8}T[0-9]{6})Z/(?:r([0-9]+)|receipt)\.json")


def judge_hours(chain: Chain, hours: Range, findings: Findings) -> None:
    """Report the windows of a chain that are not closed, and the hours that no seal is about."""
    covered = None if hours.since is None else whole_hour_from(hours.since)
    windows = [window for window in sorted(chain.windows) if window.start in hours]
    if not windows and (hours.since is None or hours.until is None):
        # Without both ends there is no hour to call a gap, and nothing was checked.
        detail = f"no seal here is about an hour of the range; the log ends with {chain.head}"
        findings.of_log(Finding(Verdict.COULD_NOT_CHECK, detail, chain.id))
        return
    for window in windows:
        if covered is not None and window.start > covered:
            _report_gap(chain, covered, window.start, findings)
        covered = window.end if covered is None else max(covered, window.end)
        newest = chain.windows[window]
        if newest.state in _OF_STATE:
            verdict, detail = _OF_STATE[newest.state]
            findings.of_window(_finding(verdict, detail, chain, window, newest.seq))
        else:
            findings.windows[chain.verdict_of(newest.seq)] += 1
    if hours.until is not None and covered is not None and covered < hours.until:
        _report_gap(chain, covered, hours.until, findings)


def judge_receipts(
    archive: Archive, accounts: frozenset[int], chains: Iterable[Chain], hours: Range, findings: Findings
) -> None:
    """Hold the receipts of a ledger against the seals, in both directions. `accounts`: empty for all."""
    by_id = {chain.id: chain for chain in chains}
    for chain_id in sorted({*by_id, *chain_ids(archive, RECEIPTS, accounts)}):
        _judge_receipts_of(archive, by_id.get(chain_id) or Chain(chain_id, -1), hours, findings)


def _judge_receipts_of(archive: Archive, chain: Chain, hours: Range, findings: Findings) -> None:
    missing = {each: sealed for each, sealed in chain.receipts.items() if each[0].start in hours}
    found = [
        (window, revision, key, missing.pop((window, revision), None))
        for window, revision, key in _receipts(archive, chain)
        if window.start in hours
    ]
    digests = archive.digests(key for *_, key, sealed in found if sealed is not None)
    for window, revision, key, sealed in found:
        newest = chain.windows.get(window)
        if sealed is not None:
            digest = next(digests)
            if isinstance(digest, OSError):
                detail = reason_of(digest)
                findings.of_window(
                    _finding(Verdict.COULD_NOT_CHECK, detail, chain, window, sealed.seq)._replace(key=key)
                )
            elif digest is None:
                missing[window, revision] = sealed  # it was deleted meanwhile
            elif digest.decode() != sealed.sha256:
                detail = "the receipt has other bytes than were sealed"
                findings.of_window(_finding(Verdict.MODIFIED, detail, chain, window, sealed.seq)._replace(key=key))
        elif newest is None or newest.revision < revision:
            detail = f"revision {revision} of the receipt has no seal"
            findings.of_window(_finding(Verdict.UNSEALED, detail, chain, window, None)._replace(key=key))
    for (window, revision), sealed in missing.items():
        detail = f"revision {revision} of the receipt was sealed, and is not here"
        findings.of_window(_finding(Verdict.MISSING, detail, chain, window, sealed.seq))


def _receipts(archive: Archive, chain: Chain) -> Iterator[tuple[WindowOfSeal, int, str]]:
    """Yield each receipt of a chain: its window, its revision and its key; a receipt.json is revision 0."""
    folder = f"{RECEIPTS}/{chain.id}"
    for key in archive.keys(folder):
        match = _RECEIPT.fullmatch(key[len(folder) + 1 :])
        if match is None:
            continue
        try:
            window = WindowOfSeal(_moment(match[2]), _moment(match[3]))
        except ValueError:
            continue
        yield window, int(match[4] or 0), key


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%S").replace(tzinfo=timezone.utc)


def _report_gap(chain: Chain, start: datetime, end: datetime, findings: Findings) -> None:
    hours = WindowOfSeal(start, end)
    findings.of_window(_finding(Verdict.GAP, "no seal is about these hours", chain, hours, None))


def _finding(verdict: Verdict, detail: str, chain: Chain, window: WindowOfSeal, seq: int | None) -> Finding:
    start, end = moment_text(window.start), moment_text(window.end)
    return Finding(verdict, detail, chain.id, seq, start=start, end=end)
