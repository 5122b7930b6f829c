"""Holds the files of an archive against what the seals name: one walk through both, in the order of keys."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from job_history_verify.archive import MAX_DOCUMENT_BYTES, Archive, start_of
from job_history_verify.chain import Chain
from job_history_verify.document import document_of
from job_history_verify.documents import Sealed
from job_history_verify.findings import Finding, Findings
from job_history_verify.layout import ChainId
from job_history_verify.moments import hour_of, moment_text, parse_moment, whole_hour_from
from job_history_verify.parallel import Digest
from job_history_verify.seal import COMPLETE, COMPLETE_WITH_QUARANTINE, Place
from job_history_verify.verdicts import Verdict


class Range(NamedTuple):
    """The hours that are judged; None: without a limit."""

    since: datetime | None = None
    until: datetime | None = None

    def __contains__(self, moment: object) -> bool:
        return (
            isinstance(moment, datetime)
            and (self.since is None or self.since <= moment)
            and (self.until is None or moment < self.until)
        )


def range_of(since: datetime | None, until: datetime | None) -> Range:
    """Return a range. Raises ValueError if it has no hour."""
    if since is not None and until is not None and whole_hour_from(since) >= until:
        raise ValueError(
            f"no hour begins from {moment_text(since)} until {moment_text(until)}: nothing would be checked"
        )
    return Range(since, until)


class Judge:
    """Gives each document its verdict. `chains`: by their numbers; `places`: the wanted place's number for each."""

    def __init__(
        self,
        archive: Archive,
        *,
        chains: list[Chain],
        places: dict[int, Place],
        wanted: dict[int, int],
        findings: Findings,
        hours: Range,
    ) -> None:
        self._archive = archive
        self._chains = chains
        self._by_id = {chain.id: chain for chain in chains}
        self._places = places
        self._wanted = wanted
        self._findings = findings
        self._hours = hours
        self._without_chain: set[ChainId] = set()

    def judge(self, sealed: Iterator[Sealed], found: Iterator[Digest]) -> None:
        """Judge all documents. Raises OSError, and ValueError if the archive does not list its keys in order."""
        waiting: deque[Sealed] = deque()

        def to_hash() -> Iterator[str]:
            for one, file in _joined(sealed, found):
                if one is None:
                    self._judge_unsealed(os.fsdecode(file[0]))  # type: ignore[index]
                elif self._hours != (None, None) and parse_moment(one.window) not in self._hours:
                    continue
                elif file is None:
                    self._judge_absent(one)
                elif file[1] is None:
                    waiting.append(one)
                    yield one.key.decode()
                else:
                    self._judge_present(one, file[1])

        for digest in self._archive.digests(to_hash()):
            self._judge_read(waiting.popleft(), digest)
        for chain in sorted(self._without_chain):
            detail = "there are documents here, and no seals: nothing shows which of them belong here"
            self._findings.of_log(Finding(Verdict.COULD_NOT_CHECK, detail, chain))

    def _judge_read(self, one: Sealed, digest: bytes | OSError | None) -> None:
        if digest is None:
            self._judge_absent(one)
        elif isinstance(digest, OSError):
            self._report(one, Verdict.COULD_NOT_CHECK, f"it cannot be read: {digest.strerror or digest}")
        else:
            self._judge_present(one, digest)

    def _judge_present(self, one: Sealed, digest: bytes) -> None:
        chain = self._chains[one.chain]
        if one.left_out == Verdict.ERASED.value:
            self._report(one, Verdict.EXTRA, "it is here, although it was erased")
        elif digest != one.sha256:
            self._report(one, Verdict.MODIFIED, "other bytes than were sealed")
        else:
            # Each seal and key that is at fault was reported with the log.
            verdict = Verdict(one.left_out) if one.left_out else chain.verdict_of(one.seq)
            self._findings.documents[verdict] += 1

    def _judge_absent(self, one: Sealed) -> None:
        if one.left_out == Verdict.ERASED.value:
            self._findings.documents[Verdict.ERASED] += 1
        elif not self._places[one.place].keeps_objects:
            self._findings.documents[Verdict.NOT_CHECKABLE] += 1
        elif one.place != self._wanted[one.chain]:
            self._findings.documents[Verdict.ELSEWHERE] += 1
        else:
            self._report(one, Verdict.MISSING, "it was sealed, and is not here")

    def _report(self, one: Sealed, verdict: Verdict, detail: str) -> None:
        chain = self._chains[one.chain].id
        self._findings.of_document(Finding(verdict, detail, chain, one.seq, start=one.window, key=one.key.decode()))

    def _judge_unsealed(self, key: str) -> None:
        """Judge a file that no seal names by its own content."""
        try:
            chain_id, moment = document_of(key, self._content(key))
        except OSError as error:
            detail = f"it is in no seal, and cannot be read: {error.strerror or error}"
            self._findings.of_document(Finding(Verdict.COULD_NOT_CHECK, detail, key=key))
            return
        except ValueError as error:
            self._findings.of_document(Finding(Verdict.EXTRA, f"it is in no seal; {error}", key=key))
            return
        if hour_of(moment) not in self._hours:
            return
        chain = self._by_id.get(chain_id)
        if chain is None:
            self._without_chain.add(chain_id)
        sealed = chain and _window_of(chain, moment)
        if sealed:
            start, state = sealed
            if chain and chain.fault is not None:
                finding = Finding(chain.fault, "its hour is sealed, but not all of the log can be read", chain_id)
            elif state in {COMPLETE, COMPLETE_WITH_QUARANTINE}:
                finding = Finding(Verdict.EXTRA, "its hour is sealed, and does not name it", chain_id)
            else:
                finding = Finding(Verdict.NOT_JUDGED, f"its hour is sealed as {state}", chain_id)
            finding = finding._replace(start=start)
        else:
            finding = Finding(Verdict.NOT_JUDGED, f"its hour ({moment_text(moment)}) is not sealed", chain_id)
        self._findings.of_document(finding._replace(key=key))

    def _content(self, key: str) -> bytes:
        content = start_of(self._archive, key, MAX_DOCUMENT_BYTES + 1) or b""
        if len(content) > MAX_DOCUMENT_BYTES:
            raise ValueError("it is too large for a document")
        return content


def _window_of(chain: Chain, moment: datetime) -> tuple[str, str] | None:
    """Return start and state of the window that contains the moment, if it is sealed."""
    # Windows are whole hours.
    window = chain.window_at(hour_of(moment))
    return None if window is None else (moment_text(window.start), chain.windows[window].state)


def _joined(sealed: Iterator[Sealed], found: Iterable[Digest]) -> Iterator[tuple[Sealed | None, Digest | None]]:
    """Join what was sealed with what was found, by key. Raises ValueError if the files are not in order."""
    expected = next(sealed, None)
    last = b""
    for file in found:
        name = file[0]
        if name <= last:
            raise ValueError(f"the archive does not list its keys in order: {name!r:.200}")
        last = name
        while expected is not None and expected.key < name:
            yield expected, None
            expected = next(sealed, None)
        if expected is not None and expected.key == name:
            yield expected, file
            expected = next(sealed, None)
        else:
            yield None, file
    while expected is not None:
        yield expected, None
        expected = next(sealed, None)
