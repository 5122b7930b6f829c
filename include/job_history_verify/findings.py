"""What a verification finds: one entry for each thing that is not simply as it was sealed, and counts of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

from job_history_verify.layout import ChainId
from job_history_verify.verdicts import EXIT_DIFFERS, EXIT_PROVEN, Verdict


class Finding(NamedTuple):
    """`seq` and `last_seq`: of the first and the last seal that it is about; `key`: of a document or a file."""

    verdict: Verdict
    detail: str
    chain: ChainId | None = None
    seq: int | None = None
    last_seq: int | None = None
    start: str | None = None
    end: str | None = None
    key: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fields that are set, for JSON."""
        fields: dict[str, Any] = {"verdict": self.verdict.value}
        if self.chain is not None:
            fields.update(user_id=self.chain.user_id, kind=self.chain.kind)
        others = {"seq": self.seq, "last_seq": self.last_seq, "start": self.start, "end": self.end, "key": self.key}
        fields.update({name: value for name, value in others.items() if value is not None})
        fields["detail"] = self.detail
        return fields

    def __str__(self) -> str:
        seals = "" if self.seq is None else f"seal {self.seq}"
        if self.last_seq not in {None, self.seq}:
            seals = f"seals {self.seq} to {self.last_seq}"
        hours = f"{self.start} to {self.end}" if self.end else self.start or ""
        about = " ".join(part for part in (str(self.chain or ""), seals, hours, self.key or "") if part)
        return f"{self.verdict.value:15} {about}: {self.detail}" if about else f"{self.verdict.value:15} {self.detail}"


class Findings:
    """Passes findings on as they come, keeps none, and counts what there was."""

    def __init__(self, on_finding: Callable[[Finding], None]) -> None:
        self._on_finding = on_finding
        self.documents: Counter[Verdict] = Counter()
        self.windows: Counter[Verdict] = Counter()
        self.log: Counter[Verdict] = Counter()
        self._waiting: Finding | None = None

    def of_document(self, finding: Finding) -> None:
        self.flush()
        self.documents[finding.verdict] += 1
        self._on_finding(finding)

    def of_window(self, finding: Finding) -> None:
        self.flush()
        self.windows[finding.verdict] += 1
        self._on_finding(finding)

    def of_log(self, finding: Finding) -> None:
        """Take a finding of a chain. One that repeats the last one's words for the next seal becomes part of it."""
        self.log[finding.verdict] += 1
        last = self._waiting
        if (
            last is not None
            and finding.seq is not None
            and last.seq is not None
            and finding._replace(seq=None, last_seq=None) == last._replace(seq=None, last_seq=None)
            and finding.seq == (last.last_seq or last.seq) + 1
        ):
            self._waiting = last._replace(last_seq=finding.seq)
            return
        self.flush()
        self._waiting = finding

    def flush(self) -> None:
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            self._on_finding(waiting)

    def exit_code(self, *, strict: bool, allow_unsigned: bool) -> int:
        """Return 1 if anything differs, also if other things could not be checked; 2 if only that."""
        found = {*self.documents, *self.windows, *self.log}
        codes = {verdict.exit_code(strict=strict, allow_unsigned=allow_unsigned) for verdict in found}
        return EXIT_DIFFERS if EXIT_DIFFERS in codes else max(codes, default=EXIT_PROVEN)
