"""A policy: an account's rules, their name, and the key of their hashes."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import msgspec

from job_history.errors import BadRecordError, QuarantineReason
from job_history.model.admin_event import EventRecord
from job_history.model.job import JobRecord, LineRecord
from job_history.model.record import Record
from job_history.redaction.batch import JsonBatch
from job_history.redaction.location import Location, Route, Rule, document_root
from job_history.redaction.path import EVENT_FIELDS, LINE_DATA, TEXT_FIELDS, segment_of_field, segments_of
from job_history.redaction.patterns import PATTERNS
from job_history.redaction.redactor import Patterns, Redactor
from job_history.redaction.replacement import Change, Replacement
from job_history.redaction.rules import FieldRule, PathRule, RedactionRule, ValueRule
from job_history.redaction.untouched import Untouched

LANGUAGE_VERSION = 1
"""Goes up when the meaning of rules changes, so that the policy's hash changes, too."""

AnyRecord = TypeVar("AnyRecord", JobRecord, EventRecord)


class Policy(msgspec.Struct, frozen=True, order=True):
    """What receipts and objects record of the rules. `key`: a sign of the key, which differs for another key."""

    id: str
    sha256: str
    key: str | None = None


class Redaction:
    """A policy as it is applied to records. It remembers what it learns of names, and nothing of values."""

    def __init__(
        self,
        rules: Sequence[RedactionRule],
        *,
        name: str | None = None,
        key: bytes | None = None,
        on_change: Callable[[Change], None] | None = None,
    ) -> None:
        """`key` is needed by rules that hash. `on_change` gets a report of each change, as a dry run shows them."""
        self.policy = _policy(rules, name, key)
        self.rules = rules_text(rules)
        routes: list[Route] = []
        patterns: Patterns = []
        for number, rule in enumerate(rules, start=1):
            what = Rule(number, rule.action)
            match rule:
                case PathRule():
                    routes.append(Route(what, segments_of(rule.path)))
                case FieldRule():
                    routes.append(Route(what, (segment_of_field(rule.field),)))
                case ValueRule():
                    patterns.append((what, PATTERNS[rule.value]))
        self._root = document_root(routes, (pattern.expression for _, pattern in patterns))
        self._line = self._root.member("lines").element
        self._replacement = Replacement(key, on_change)
        self._redactor = Redactor(patterns, self._replacement)
        self._untouched = Untouched(self._root, self._line)

    def record(self, record: Record) -> Record:
        """Return the record as it may leave. Raises BadRecordError if a rule cannot be applied to it."""
        return self.event(record) if isinstance(record, EventRecord) else self.job(record)

    def job(self, record: JobRecord) -> JobRecord:
        """Do so with a job."""
        return record if self._untouched.job(record) else self._applied(self._job, record)

    def event(self, record: EventRecord) -> EventRecord:
        """Do so with an admin event."""
        return record if self._untouched.event(record) else self._applied(self._event, record)

    def _applied(self, apply: Callable[[AnyRecord], AnyRecord], record: AnyRecord) -> AnyRecord:
        if record.fault is not None:
            return record
        try:
            return apply(record)
        except (RecursionError, ValueError) as fault:
            # The message of the error may hold a value that a rule is about.
            raise BadRecordError(
                QuarantineReason.REDACTION, f"the rules cannot be applied to it ({type(fault).__name__})"
            ) from None

    def _job(self, record: JobRecord) -> JobRecord:
        at = self._root.member
        texts = {name: self._text(getattr(record, name), at(name), name) for name in TEXT_FIELDS}
        batch = JsonBatch(self._redactor, self._replacement, self._root)
        report = batch.add(record.report, at("report"), "report")
        extra = self._add_extra(batch, record.extra, self._root, "")
        lines = [self._add_line(batch, line, f"lines[{number}]") for number, line in enumerate(record.lines or ())]
        results = batch.results()
        return msgspec.structs.replace(
            record,
            **texts,
            report=results[report],
            extra=_kept(extra, results),
            lines=None if record.lines is None else [line.replaced(results) for line in lines],
        )

    def _event(self, record: EventRecord) -> EventRecord:
        batch = JsonBatch(self._redactor, self._replacement, self._root)
        numbers = {name: batch.add(getattr(record, name), self._root.member(name), name) for name in EVENT_FIELDS}
        extra = self._add_extra(batch, record.extra, self._root, "")
        results = batch.results()
        fields = {name: results[number] for name, number in numbers.items()}
        return msgspec.structs.replace(record, **fields, extra=_kept(extra, results))

    def _add_line(self, batch: JsonBatch, line: LineRecord, path: str) -> _Line:
        extra = self._add_extra(batch, line.extra, self._line, f"{path}.") if line.extra else {}
        if line.mask_data:
            # The document will show nothing of the rest.
            return _Line(line, {}, extra)
        at = self._line.member
        numbers = {}
        for name in LINE_DATA:
            text = getattr(line, name)
            if text is not msgspec.UNSET:
                numbers[name] = batch.add(text or "null", at(name), f"{path}.{name}")
        if line.error is not None:
            line = msgspec.structs.replace(line, error=self._text(line.error, at("error"), f"{path}.error"))
        return _Line(line, numbers, extra)

    def _add_extra(self, batch: JsonBatch, extra: dict[str, str], around: Location, path: str) -> dict[str, int]:
        return {name: batch.add(text, around.member(name), f"{path}{name}") for name, text in extra.items()}

    def _text(self, text: str | None, location: Location, path: str) -> str | None:
        if text is None:
            return None
        if location.rule is not None:
            return self._replacement.of_text(location.rule, text, "text", lambda: path)
        return self._redactor.text(text, location, path)


class _Line(NamedTuple):
    """A line, and the numbers of its JSON texts."""

    record: LineRecord
    data: dict[str, int]
    extra: dict[str, int]

    def replaced(self, results: list[str | None]) -> LineRecord:
        data = {
            name: msgspec.UNSET if results[number] is None else results[number] for name, number in self.data.items()
        }
        if self.extra:
            return msgspec.structs.replace(self.record, **data, extra=_kept(self.extra, results))
        return msgspec.structs.replace(self.record, **data)


def _kept(numbers: dict[str, int], results: list[str | None]) -> dict[str, str]:
    return {name: text for name, number in numbers.items() if (text := results[number]) is not None}


def rules_text(rules: Sequence[RedactionRule]) -> bytes:
    """Return the rules as JSON: the same for the same rules, and without the key."""
    plain = {"version": LANGUAGE_VERSION, "rules": [rule.model_dump() for rule in rules]}
    return msgspec.json.encode(plain, order="deterministic")


def rules_sha256(rules: Sequence[RedactionRule]) -> str:
    """Return a hash that differs for each list of rules."""
    return hashlib.sha256(rules_text(rules)).hexdigest()


def _policy(rules: Sequence[RedactionRule], name: str | None, key: bytes | None) -> Policy:
    sha256 = rules_sha256(rules)
    sign = None if key is None else hmac.digest(key, b"the key of job_history's redaction", "sha256").hex()[:8]
    return Policy(f"{name}-{sha256[:12]}" if name else sha256[:12], sha256, sign)
