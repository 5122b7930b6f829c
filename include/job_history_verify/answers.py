"""Writes the result of a verification: as text, or as one JSON value; findings as they come, none of them kept."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, TextIO

from job_history_verify.chain import Chain
from job_history_verify.findings import Finding, Findings
from job_history_verify.moments import moment_text
from job_history_verify.proof import Proven
from job_history_verify.verdicts import Verdict

PROVES = (
    "Since sealed_at, the set of documents and the bytes of each are those that the holder of the key sealed.",
    "Of each closed hour, the source's own count agreed with what it listed.",
    "Each hour of the range has a seal, also the hours without a job.",
)
DOES_NOT_PROVE = (
    "What the source did not list or count.",
    "What the holder of the key wrote or left out before sealing it.",
    "Without a head that a witness noted (--expect-head): sealed_at itself, and that no seals were cut off at the end.",
)
_RESULTS = ("proven", "something differs", "could not be checked")
_UNSIGNED_RESULT = "as sealed, and unsigned"
OF_UNSIGNED_SEALS = "Who wrote the seals without a signature: anyone who can write here can write such ones."


def _result(findings: Findings, code: int) -> str:
    return _UNSIGNED_RESULT if code == 0 and _is_unsigned(findings) else _RESULTS[code]


def _is_unsigned(findings: Findings) -> bool:
    return bool(findings.log[Verdict.UNSIGNED])


def print_line(out: TextIO, text: str) -> None:
    """Print a line; `?` replaces what a terminal would obey or cannot show, as in the key of a document."""
    encoding = getattr(out, "encoding", None) or "utf-8"
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)
    out.write(shown.encode(encoding, "replace").decode(encoding) + "\n")


class TextAnswer:
    """Lines for people."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def on_finding(self, finding: Finding) -> None:
        self._line(str(finding))

    def finish(self, chains: list[Chain], findings: Findings, code: int) -> None:
        for chain in chains:
            until = f", the last at {moment_text(chain.sealed_at)}" if chain.sealed_at else ""
            signed = "signed" if chain.signed == chain.seals else f"{chain.signed} of them signed"
            place = f", of {chain.place.text}" if chain.place else ""
            self._line(f"{chain.id}: {chain.seals} seals, {signed}{until}{place}")
            self._line(f"  head {chain.head}")
        self._counts("Documents", findings.documents)
        self._counts("Hours", findings.windows)
        self._counts("Log", findings.log)
        if code == 0:
            self._sentences("What this proves:", _proves(findings))
            self._sentences("What it does not prove:", _does_not_prove(findings))
        self._line(f"Result: {_result(findings, code)} (exit code {code})")

    def _sentences(self, title: str, sentences: Sequence[str]) -> None:
        for line in [title, *(f"  - {sentence}" for sentence in sentences)] if sentences else ():
            self._line(line)

    def _counts(self, title: str, counts: Counter[Verdict]) -> None:
        if counts:
            numbers = ", ".join(f"{number:,} {verdict}" for verdict, number in counts.most_common())
            self._line(f"{title}: {numbers}")

    def _line(self, text: str) -> None:
        print_line(self._out, text)


class JsonAnswer:
    """One JSON value: an object whose `findings` are written first."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._separator = "\n"
        out.write('{"findings": [')

    def on_finding(self, finding: Finding) -> None:
        self._out.write(f"{self._separator}{json.dumps(finding.as_dict())}")
        self._separator = ",\n"

    def finish(self, chains: list[Chain], findings: Findings, code: int) -> None:
        rest = {
            "chains": [_chain(chain) for chain in chains],
            "documents": _numbers(findings.documents),
            "hours": _numbers(findings.windows),
            "log": _numbers(findings.log),
            "proves": _proves(findings),
            "does_not_prove": _does_not_prove(findings),
            "result": _result(findings, code),
            "exit_code": code,
        }
        self._out.write(f"],\n{json.dumps(rest, indent=1)[1:]}\n")


def _proves(findings: Findings) -> Sequence[str]:
    # No key's holder has sealed a log without a signature.
    return () if _is_unsigned(findings) else PROVES


def _does_not_prove(findings: Findings) -> Sequence[str]:
    return (OF_UNSIGNED_SEALS, *DOES_NOT_PROVE) if _is_unsigned(findings) else DOES_NOT_PROVE


def write_proven(out: TextIO, proven: Proven, code: int, *, as_json: bool) -> None:
    """Write what a proof shows of its document: a line, or one JSON value."""
    seal = proven.seal
    fields = {
        "verdict": proven.verdict.value,
        "key": proven.key,
        "user_id": seal.chain.user_id,
        "kind": seal.chain.kind,
        "seq": seal.seq,
        "signed_by": seal.key,
        "sealed_at": moment_text(seal.sealed_at),
        "detail": proven.detail,
        "exit_code": code,
    }
    if as_json:
        out.write(json.dumps(fields, indent=1) + "\n")
        return
    about = f"(seal {seal.seq} of {seal.chain}, key {seal.key}, sealed at {fields['sealed_at']})"
    print_line(out, f"{proven.verdict}: {proven.key}: {proven.detail} {about}")


def _numbers(counts: Counter[Verdict]) -> dict[str, int]:
    return {verdict.value: number for verdict, number in sorted(counts.items())}


def _chain(chain: Chain) -> dict[str, Any]:
    return {
        "user_id": chain.id.user_id,
        "kind": chain.id.kind,
        "first_seq": chain.first_seq,
        "seq": chain.seq,
        "sha256": chain.sha256,
        "seals": chain.seals,
        "signed": chain.signed,
        "sealed_at": moment_text(chain.sealed_at) if chain.sealed_at else None,
        "place": chain.place.text if chain.place else None,
    }
