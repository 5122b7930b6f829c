"""Archives with seals, written by hand as the documented format has them: nothing here is of the writer's code."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import struct
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

START = datetime(2018, 5, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)
PLACE = {"type": "s3", "bucket": "acme-audit", "prefix": ""}
RECEIPT_SHA256 = hashlib.sha256(b"receipt").hexdigest()


def key_pair(seed: int = 1) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)


def public_text(key: Ed25519PrivateKey) -> str:
    """Return the key as OpenSSH writes it: `ssh-ed25519 AAAA...`."""
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def fingerprint_of(key: Ed25519PrivateKey) -> str:
    blob = base64.b64decode(public_text(key).split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def allowed_signers(key: Ed25519PrivateKey, options: str = 'namespaces="job-history.seal.v1"') -> str:
    return f"job-history {options} {public_text(key)}\n"


def ssh_signature(key: Ed25519PrivateKey, message: bytes, namespace: str = "job-history.seal.v1") -> str:
    """Sign by PROTOCOL.sshsig."""
    digest = hashlib.sha512(message).digest()
    signed = b"SSHSIG" + _texts(namespace.encode(), b"", b"sha512", digest)
    public = base64.b64decode(public_text(key).split()[1])
    signature = _texts(b"ssh-ed25519", key.sign(signed))
    blob = b"SSHSIG" + struct.pack(">I", 1) + _texts(public, namespace.encode(), b"", b"sha512", signature)
    text = base64.encodebytes(blob).decode().strip()
    return f"-----BEGIN SSH SIGNATURE-----\n{text}\n-----END SSH SIGNATURE-----\n"


def _texts(*texts: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(text)) + text for text in texts)


def merkle_root(entries: list[bytes]) -> bytes:
    """The definition of RFC 9162, section 2.1.1, as it is written there."""
    if not entries:
        return hashlib.sha256().digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\0" + entries[0]).digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    return hashlib.sha256(b"\1" + merkle_root(entries[:split]) + merkle_root(entries[split:])).digest()


def job_document(
    job: int, completed: datetime, *, user_id: int = 5234, recipe: int = 234, note: str = ""
) -> tuple[str, bytes]:
    """Return key and bytes of a job that started ten seconds before its end."""
    started = completed - timedelta(seconds=10)
    digits = f"{job:021d}"
    folders = "/".join(digits[start : start + 3] for start in range(0, 21, 3))
    name = f"{user_id}-{recipe}-{job}-{started:%Y%m%d%H%M%S}-succeeded.json"
    key = f"{user_id}/jobs/{recipe}/{started:%Y%m%d}/{folders}/{name}"
    document = {
        "id": job,
        "flow_id": recipe,
        "status": "completed",
        "started_at": f"{started:%Y-%m-%dT%H:%M:%SZ}",
        "completed_at": f"{completed:%Y-%m-%dT%H:%M:%SZ}",
        "title": note,
    }
    return key, json.dumps(document).encode() + b"\n"


@dataclass
class SealedArchive:
    """A folder with documents and one chain's seals; `sealed` are the deciding lines by key."""

    folder: Path
    key: Ed25519PrivateKey | None = field(default_factory=key_pair)
    user_id: int = 5234
    kind: str = "jobs"
    seq: int = 0
    previous: str | None = None
    sealed_at: datetime = START + HOUR
    documents: dict[datetime, dict[str, str]] = field(default_factory=dict)

    @property
    def seals(self) -> Path:
        return self.folder / "_control" / "seals" / str(self.user_id) / self.kind

    def seal_path(self, seq: int) -> Path:
        return self.seals / f"{seq:012d}.json"

    def signature_path(self, seq: int) -> Path:
        return next(self.seals.glob(f"{seq:012d}-*.sig"))

    def sums_path(self, seq: int) -> Path:
        return self.seals / "sums" / f"{json.loads(self.seal_path(seq).read_bytes())['objects']['sums_sha256']}.sums.gz"

    def deliver(self, key: str, body: bytes) -> None:
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def seal_hour(self, number: int, documents: dict[str, bytes] | None = None, **changes: Any) -> None:
        """Deliver documents of an hour, and seal it with all that it had before."""
        window = START + number * HOUR
        for key, body in (documents or {}).items():
            self.deliver(key, body)
        named = self.documents.setdefault(window, {})
        named.update({key: hashlib.sha256(body).hexdigest() for key, body in (documents or {}).items()})
        self.seal(window, named, **changes)

    def seal(
        self, window: datetime, named: dict[str, str], *, state: str = "complete", gone: int = 0, **changes: Any
    ) -> None:
        lines = [f"{sha256}  {key}".encode() for key, sha256 in named.items()]
        text = b"".join(line + b"\n" for line in lines)
        sums_sha256 = hashlib.sha256(text).hexdigest()
        sums = self.seals / "sums" / f"{sums_sha256}.sums.gz"
        sums.parent.mkdir(parents=True, exist_ok=True)
        if lines:
            sums.write_bytes(gzip.compress(text, mtime=0))
        self.seq += 1
        self.sealed_at += HOUR
        delivered = len(lines) - gone
        fields = {
            "type": "job-history/seal/v1",
            "user_id": self.user_id,
            "kind": self.kind,
            "seq": self.seq,
            "previous": self.previous,
            "reason": "run",
            "window": {"start": f"{window:%Y-%m-%dT%H:%M:%SZ}", "end": f"{window + HOUR:%Y-%m-%dT%H:%M:%SZ}"},
            "receipt": {"revision": 1, "sha256": RECEIPT_SHA256},
            "state": state,
            "counts": {
                "counted": delivered,
                "listed": delivered,
                "delivered": delivered,
                "already_present": 0,
                "gone": gone,
            },
            "counted_by": "query",
            "objects": {
                "count": len(lines),
                "bytes": 0,
                "sums_sha256": sums_sha256,
                "merkle_root": merkle_root(lines).hex(),
            },
            "destination": PLACE,
            "sealed_at": f"{self.sealed_at:%Y-%m-%dT%H:%M:%SZ}",
            "key": fingerprint_of(self.key) if self.key else None,
            **changes,
        }
        self.write_seal(json.dumps(fields, separators=(",", ":")).encode() + b"\n")

    def write_seal(self, content: bytes) -> None:
        sha256 = hashlib.sha256(content).hexdigest()
        self.seal_path(self.seq).write_bytes(content)
        if self.key is not None:
            (self.seals / f"{self.seq:012d}-{sha256[:16]}.sig").write_text(ssh_signature(self.key, content))
        self.previous = sha256

    @property
    def head(self) -> str:
        return f"{self.user_id}/{self.kind}/{self.seq}:{self.previous}"


def five_hours(folder: Path, *, key: Ed25519PrivateKey | None = None, user_id: int = 5234) -> SealedArchive:
    """Hours 0 to 4 of an account: two jobs each, none in hour 2."""
    archive = SealedArchive(folder, key or key_pair(), user_id=user_id)
    for hour in range(5):
        completed = START + hour * HOUR + timedelta(minutes=5)
        jobs = [] if hour == 2 else [hour * 10 + 1, hour * 10 + 2]
        archive.seal_hour(hour, dict(job_document(job, completed, user_id=user_id) for job in jobs))
    return archive
