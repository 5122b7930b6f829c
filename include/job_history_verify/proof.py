"""An inclusion proof: one document, its way to the Merkle root of a seal, the seal and its signature; nothing else."""

from __future__ import annotations

import hashlib
import json
from typing import Any, NamedTuple

from job_history_verify.allowed_signers import AllowedSigners
from job_history_verify.archive import Archive
from job_history_verify.ed25519 import signature_check
from job_history_verify.layout import ChainId
from job_history_verify.merkle import inclusion_path, leaf_hash, root_by_path
from job_history_verify.seal import NewerFormatError, Seal, parse_seal
from job_history_verify.signatures import verdict_of_signature
from job_history_verify.sshsig import SshSignature, parse_signature
from job_history_verify.sums import SumsError, read_sums, sums_line
from job_history_verify.verdicts import Verdict

TYPE = "job-history/proof/v1"


class ProofError(Exception):
    """No proof can be made, or the file is not one."""


class Proven(NamedTuple):
    """What a proof shows of a document: its key, and the seal that names its bytes."""

    verdict: Verdict
    detail: str
    key: str
    seal: Seal


def make_proof(archive: Archive, chain: ChainId, seq: int, key: str) -> dict[str, Any]:
    """Return the proof, for JSON, that a seal names a document. Raises ProofError, OSError."""
    try:
        return _proof_of(archive, chain, seq, key)
    except (ValueError, NewerFormatError, SumsError) as error:
        raise ProofError(f"seal {seq} of {chain} cannot be read: {error}") from error


def _proof_of(archive: Archive, chain: ChainId, seq: int, key: str) -> dict[str, Any]:
    content = archive.read(chain.seal(seq))
    if content is None:
        raise ProofError(f"{chain.seal(seq)} is not here")
    seal = parse_seal(content)
    leaves, index, line = [], None, b""
    with archive.opened(chain.sums(seal.sums_sha256)) as file:
        for number, each in enumerate(read_sums(file, seal)):
            text = sums_line(each.sha256, each.key)
            leaves.append(leaf_hash(text))
            if each.key == key.encode():
                index, line = number, text
    if index is None:
        raise ProofError(f"seal {seq} of {chain} does not name {key}")
    signature = archive.read(chain.signature(seq, seal.sha256)) if seal.key else None
    if seal.key and signature is None:
        raise ProofError(f"{chain.signature(seq, seal.sha256)} is not here, and the seal is signed")
    return {
        "type": TYPE,
        "line": line.decode(),
        "index": index,
        "count": len(leaves),
        "path": [each.hex() for each in inclusion_path(leaves, index)],
        "seal": content.decode(),
        "signature": None if signature is None else parse_signature(signature.decode()).armored,
    }


def check_proof(
    proof: bytes, document: bytes, keys: AllowedSigners | None, *, signature_tool: str | None = None
) -> Proven:
    """Check a proof against the document's bytes. Raises ProofError, NewerFormatError, NoToolError."""
    claim = _parse(proof)
    seal, key = claim.seal, claim.key
    if hashlib.sha256(document).hexdigest() != claim.sha256:
        return Proven(Verdict.MODIFIED, "the document has other bytes than were sealed", key, seal)
    if claim.root.hex() != seal.merkle_root or claim.leaves != seal.documents:
        return Proven(Verdict.SUMS_DIFFER, "the proof does not lead to the seal's Merkle root", key, seal)
    if seal.key is None:
        return Proven(Verdict.UNSIGNED, "the seal has no signature", key, seal)
    if keys is None:
        return Proven(Verdict.COULD_NOT_CHECK, "give the allowed_signers file with --keys", key, seal)
    with signature_check(signature_tool) as (check, _):
        is_good = claim.signature is not None and check(claim.signature, claim.content)
    verdict, detail = verdict_of_signature(seal, claim.signature, is_good=is_good, keys=keys)
    if verdict is not None:
        return Proven(verdict, detail, key, seal)
    return Proven(Verdict.PROVEN, "sealed with these bytes, under this key", key, seal)


class _Claim(NamedTuple):
    """A proof as it was read. `content`: the seal's bytes; `root`: where the document's path leads to."""

    key: str
    sha256: str
    root: bytes
    leaves: int
    seal: Seal
    content: bytes
    signature: SshSignature | None


def _parse(proof: bytes) -> _Claim:
    try:
        fields = json.loads(proof)
        if fields["type"] != TYPE:
            raise NewerFormatError(f"the proof's type is {fields['type']!r:.60}, and this program knows {TYPE}")
        line, content = str(fields["line"]), str(fields["seal"]).encode()
        path = [bytes.fromhex(each) for each in fields["path"]]
        root = root_by_path(leaf_hash(line.encode()), int(fields["index"]), int(fields["count"]), path)
        signature = None if fields["signature"] is None else parse_signature(fields["signature"])
        seal = parse_seal(content)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ProofError(f"the file is not a proof: {error}") from error
    sha256, _, key = line.partition("  ")
    return _Claim(key, sha256, root, int(fields["count"]), seal, content, signature)
