"""The bytes of a seal. They are made once, signed, and never serialised again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from job_history.ledger.receipt import REDRIVE, Receipt
from job_history.model.place import place_of
from job_history.model.timestamp import format_time
from job_history.seals.sums import Sums
from job_history_verify.seal import TYPE

SEALED_LATER = "sealed_later"
_BACKFILL = "backfill"


def seal_bytes(
    receipt: Receipt,
    receipt_sha256: str,
    sums: Sums,
    *,
    seq: int,
    previous: str | None,
    reason: str,
    destination: dict[str, Any],
    sealed_at: datetime,
    key: str | None,
) -> bytes:
    """Return a seal. `previous`: SHA-256 of the seal before; `key`: fingerprint of the key that will sign it."""
    counts = receipt.counts
    fields = {
        "type": TYPE,
        "user_id": receipt.user_id,
        "kind": str(receipt.kind),
        "seq": seq,
        "previous": previous,
        "reason": reason,
        "window": receipt.window.as_dict(),
        "receipt": {"revision": receipt.revision, "sha256": receipt_sha256},
        "state": str(receipt.state),
        "counts": {
            "counted": counts.counted,
            "listed": counts.listed,
            "delivered": counts.delivered,
            "already_present": counts.already_present,
            "filtered": counts.filtered,
            "quarantined": counts.quarantined,
            "gone": sums.gone,
        },
        "counted_by": receipt.counted_by,
        "objects": {
            "count": sums.count,
            "bytes": sums.size,
            "sums_sha256": sums.sha256,
            "merkle_root": sums.merkle_root,
        },
        "destination": destination,
        "settings_sha256": receipt.settings_hash,
        "redaction": msgspec.to_builtins(receipt.redaction),
        "code_version": receipt.code_version,
        "read_at": receipt.read_at,
        # Whole seconds: as `ssh-keygen -Overify-time` takes it, but for the signs between the digits.
        "sealed_at": format_time(sealed_at.replace(microsecond=0)),
        "key": key,
    }
    return msgspec.json.encode(fields) + b"\n"


def newest_destination(receipt: Receipt, store: dict[str, Any]) -> dict[str, Any]:
    """Return the description of where a window's documents are; the last one if they were split between two.

    `store`: of the account's store, empty if it is not known. The receipt of an hour without documents has the
    settings alone, which may name no bucket and never name a host: the store is named then.
    """
    several = receipt.destination.get("several")
    own = dict(several[-1]) if several else receipt.destination
    if store and own.get("type") == store.get("type") and "host" not in own and not receipt.items:
        return store
    return own


def sealed_destination(description: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return what a seal has of a destination: for a bucket its name, prefix and, outside of AWS, host."""
    place = place_of(description)
    if "bucket" not in description:
        return {"type": place.type, "target": place.name}
    named = {"type": place.type, "bucket": place.name, "prefix": prefix}
    return named if place.store in {None, "aws"} else {**named, "host": place.store}


def reason_of(receipt: Receipt) -> str:
    """Return why a window is sealed: by the kind of its last run."""
    run = receipt.runs[-1] if receipt.runs else None
    if run is not None and run.run.startswith(REDRIVE):
        return "redrive"
    if run is not None and run.repair:
        return "repair"
    if run is not None and run.run.startswith(_BACKFILL):
        return "backfill"
    return "late" if receipt.counts.late else "run"
