"""A policy: an account's rules, their name, and the key of their hashes."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from job_history.errors import BadRecordError, QuarantineReason
from job_history.model.admin_event import EventRecord
from job_history.model.job import JobRecord, LineRecord
from job_history.model.json_text import compact_json
from job_history.model.record import Record
from job_history.redaction.location import Location, Route, Rule, document_root
from job_history.redaction.path import segment_of_field, segments_of
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
        return msgspec.structs.replace(
            record,
            title=self._text(record.title, at("title"), "title"),
            error=self._text(record.error, at("error"), "error"),
            error_type=self._text(record.error_type, at("error_type"), "error_type"),
            report=self._json(record.report, at("report"), "report"),
            extra=self._extra(record.extra, self._root, ""),
            lines=None if record.lines is None else self._lines(record.lines),
        )

    def _event(self, record: EventRecord) -> EventRecord:
        at = self._root.member
        return msgspec.structs.replace(
            record,
            details=self._json(record.details, at("details"), "details"),
            user=self._json(record.user, at("user"), "user"),
            team=self._json(record.team, at("team"), "team"),
            resource=self._json(record.resource, at("resource"), "resource"),
            extra=self._extra(record.extra, self._root, ""),
        )

    def _lines(self, lines: list[LineRecord]) -> list[LineRecord]:
        return [self._line_of(line, f"lines[{number}]") for number, line in enumerate(lines)]

    def _line_of(self, line: LineRecord, path: str) -> LineRecord:
        extra = self._extra(line.extra, self._line, f"{path}.")
        if line.mask_data:
            # The document will show nothing of the rest.
            return line if extra is line.extra else msgspec.structs.replace(line, extra=extra)
        at = self._line.member
        return msgspec.structs.replace(
            line,
            input=self._json_or_unset(line.input, at("input"), f"{path}.input"),
            output=self._json_or_unset(line.output, at("output"), f"{path}.output"),
            error=self._text(line.error, at("error"), f"{path}.error"),
            extra=extra,
        )

    def _extra(self, extra: dict[str, str], location: Location, path: str) -> dict[str, str]:
        if not extra:
            return extra
        redacted = {name: self._json(text, location.member(name), f"{path}{name}") for name, text in extra.items()}
        return {name: text for name, text in redacted.items() if text is not None}

    def _text(self, text: str | None, location: Location, path: str) -> str | None:
        if text is None:
            return None
        if location.rule is not None:
            return self._replacement.of_text(location.rule, text, "text", lambda: path)
        return self._redactor.text(text, location, path)

    def _json_or_unset(
        self, text: str | msgspec.UnsetType | None, location: Location, path: str
    ) -> str | msgspec.UnsetType | None:
        if isinstance(text, msgspec.UnsetType):
            return text
        redacted = self._json(text or "null", location, path)
        return msgspec.UNSET if redacted is None else redacted

    def _json(self, text: str | None, location: Location, path: str) -> str | None:
        """Return None if the value is left out."""
        if text is None:
            return None
        if location.rule is None and not location.may_touch(text):
            return text
        compact = bytes(compact_json(path, text)).decode()
        if location.rule is not None:
            return self._replacement.of_json(location.rule, compact, lambda: path)
        return self._redactor.json(compact, location, path)


def rules_sha256(rules: Sequence[RedactionRule]) -> str:
    """Return a hash that differs for each list of rules."""
    plain = {"version": LANGUAGE_VERSION, "rules": [rule.model_dump() for rule in rules]}
    return hashlib.sha256(msgspec.json.encode(plain, order="deterministic")).hexdigest()


def _policy(rules: Sequence[RedactionRule], name: str | None, key: bytes | None) -> Policy:
    sha256 = rules_sha256(rules)
    sign = None if key is None else hmac.digest(key, b"the key of job_history's redaction", "sha256").hex()[:8]
    return Policy(f"{name}-{sha256[:12]}" if name else sha256[:12], sha256, sign)
