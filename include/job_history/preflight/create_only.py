"""Does a store of ours honour create-only writes? Receipts and the rate limit of the Workato API rely on it.

Seen: Ceph RGW 16.2 refuses the second create of a key in a plain bucket, and accepts it in a versioned one.
"""

from __future__ import annotations

import hashlib
import secrets

import msgspec

from job_history.errors import PermanentError, ReplicationError
from job_history.errors.catalogue import finding
from job_history.errors.code import Code
from job_history.storage import Storage

PASSED = "_control/create_only"


def check_create_only(ledger: Storage, staging: Storage) -> None:
    """Try it once in each of the two, and note in the ledger that they passed.

    Raises PermanentError with code LEDGER_NOT_CREATE_ONLY, which names path, store and remedy, if one does not honour
    it; and what they raise otherwise.
    """
    stores = {_identity(store): store for store in (ledger, staging)}
    note = f"{PASSED}/{hashlib.sha256(' '.join(sorted(stores)).encode()).hexdigest()[:16]}.json"
    passed = msgspec.json.encode({"passed": sorted(stores)})
    if ledger.read(note) == passed:
        return
    for store in stores.values():
        _check(store)
    ledger.create(note, passed)


def _identity(store: Storage) -> str:
    return f"{store.root} {_host(store)}"


def _host(store: Storage) -> str:
    access = getattr(store.files, "access", None)
    return access.host if access is not None else "this machine"


def _check(store: Storage) -> None:
    path = f"{PASSED}/probe-{secrets.token_hex(8)}"
    try:
        first, second = store.create(path, b"first"), store.create(path, b"second")
        kept = store.read(path)
    except ReplicationError as error:
        if error.code is Code.S3_CREATE_ONLY_UNKNOWN:
            raise _refused(store, f"it refuses such a write: {error.detail}") from error
        raise
    if not (first and not second and kept == b"first"):
        store.delete(path)
        raise _refused(store, f"it wrote {path} twice")
    store.delete(path)


def _refused(store: Storage, detail: str) -> PermanentError:
    found = finding(Code.LEDGER_NOT_CREATE_ONLY, f"{store.root} at {_host(store)}", detail=detail)
    return PermanentError(str(found), code=found.code, detail=detail)
