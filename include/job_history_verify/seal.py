"""A seal: the statement about one window, as its file's bytes hold it. They are never serialised again."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any, NamedTuple

from job_history_verify.layout import ChainId
from job_history_verify.moments import parse_moment

TYPE = "job-history/seal/v1"
_TYPE_OF_ANY_VERSION = "job-history/seal/v"
ERASURE = "erasure"
COMPLETE, COMPLETE_WITH_QUARANTINE = "complete", "complete_with_quarantine"
FAILED, UNRECOVERABLE, DISABLED = "failed", "unrecoverable", "disabled"
STATES = {COMPLETE, COMPLETE_WITH_QUARANTINE, FAILED, UNRECOVERABLE, DISABLED}
MAX_SEAL_BYTES = 1_000_000


class NewerFormatError(Exception):
    """The seal has a version that this program does not know."""


class WindowOfSeal(NamedTuple):
    start: datetime
    end: datetime


class Place(NamedTuple):
    """`text`: `s3://acme-audit/prefix`, or the description of a destination for messages, which keeps no objects."""

    text: str
    keeps_objects: bool


class Seal(NamedTuple):
    """The fields that are verified. `documents`, `carried`: lines of its sums, and those at their end that an earlier
    seal of the window had named already and the source no longer lists. `key`: fingerprint, None for an unsigned seal.
    `place`: where its documents are.
    """

    chain: ChainId
    seq: int
    previous: str | None
    reason: str
    window: WindowOfSeal
    revision: int
    receipt_sha256: str
    state: str
    documents: int
    carried: int
    sums_sha256: str
    merkle_root: str
    place: Place
    sealed_at: datetime
    key: str | None
    sha256: str

    @property
    def is_closed(self) -> bool:
        return self.state in {COMPLETE, COMPLETE_WITH_QUARANTINE}


def parse_seal(content: bytes) -> Seal:
    """Read a seal. Raises ValueError if it is not one, NewerFormatError if this program is too old for it."""
    if len(content) > MAX_SEAL_BYTES:
        raise ValueError("it is larger than any seal")
    try:
        fields = json.loads(content.decode(), object_pairs_hook=_without_repeats)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(fields, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - one error for each bad file
    kind_of_file = fields.get("type")
    if kind_of_file != TYPE:
        if isinstance(kind_of_file, str) and kind_of_file.startswith(_TYPE_OF_ANY_VERSION):
            raise NewerFormatError(f"its format is {kind_of_file!r:.60}, and this program knows {TYPE}")
        raise ValueError("it has no type of a seal")
    receipt, objects, window = (_get(fields, name, dict) for name in ("receipt", "objects", "window"))
    counts = _get(fields, "counts", dict)
    state = _get(fields, "state", str)
    if state not in STATES:
        raise NewerFormatError(f"the window's state {state!r:.60} is not known to this program")
    start, end = parse_moment(window.get("start")), parse_moment(window.get("end"))
    if start >= end:
        raise ValueError("its window ends before it starts")
    return Seal(
        chain=ChainId(_number(fields, "user_id"), _get(fields, "kind", str)),
        seq=_number(fields, "seq"),
        previous=None if fields.get("previous") is None else _digest(fields, "previous"),
        reason=_get(fields, "reason", str),
        window=WindowOfSeal(start, end),
        revision=_number(receipt, "revision"),
        receipt_sha256=_digest(receipt, "sha256"),
        state=state,
        documents=_number(objects, "count"),
        carried=_number(counts, "gone") if "gone" in counts else 0,
        sums_sha256=_digest(objects, "sums_sha256"),
        merkle_root=_digest(objects, "merkle_root"),
        place=place_of(_get(fields, "destination", dict)),
        sealed_at=parse_moment(fields.get("sealed_at")),
        key=None if fields.get("key") is None else _get(fields, "key", str),
        sha256=hashlib.sha256(content).hexdigest(),
    )


def place_of(destination: dict[str, Any]) -> Place:
    """Return the place that a seal names; two seals are of one place if these are equal. Raises ValueError."""
    kind, bucket = _get(destination, "type", str), destination.get("bucket")
    if bucket is None:
        return Place(f"{kind} {json.dumps(destination, sort_keys=True)}", keeps_objects=False)
    prefix, host = destination.get("prefix") or "", destination.get("host") or ""
    if not all(isinstance(part, str) for part in (bucket, prefix, host)):
        raise ValueError("its destination's bucket, prefix and host are not texts")
    text = f"{kind}://{bucket}/{prefix}".rstrip("/")
    return Place(f"{text}@{host}" if host else text, keeps_objects=True)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field is there twice")
    return fields


def _get(fields: dict[str, Any], name: str, kind: type) -> Any:
    value = fields.get(name)
    if not isinstance(value, kind):
        raise ValueError(f"its {name} is missing or of another type")  # noqa: TRY004 - one error for each bad file
    return value


def _number(fields: dict[str, Any], name: str) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"its {name} is not a whole number from 0 up")
    return value


def _digest(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or len(value) != 64 or value.strip("0123456789abcdef"):
        raise ValueError(f"its {name} is not a SHA-256 in hex")
    return value
