"""The files of a log in an archive: which logs there are, and the seals of one with their signatures."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from job_history_verify.archive import Archive, start_of
from job_history_verify.layout import ChainId, parse_chain, seq_of_seal, seq_of_signature
from job_history_verify.seal import MAX_SEAL_BYTES
from job_history_verify.sshsig import SshSignature, parse_signature


class SealFile(NamedTuple):
    seq: int
    content: bytes
    signature: SshSignature | None
    is_signature_good: bool


def chain_ids(archive: Archive, below: str, accounts: frozenset[int]) -> Iterator[ChainId]:
    """Yield the chains that have a folder `<user_id>/<kind>` below this one. `accounts`: empty for all."""
    own = [
        f"{user_id}/{kind}" for user_id in sorted(accounts) for kind in archive.folders(f"{below}/{user_id}", depth=1)
    ]
    for text in own if accounts else archive.folders(below, depth=2):
        try:
            yield parse_chain(text)
        except ValueError:
            continue


def seal_files(archive: Archive, chain: ChainId) -> Iterator[SealFile]:
    """Yield the seals of a chain, in the order of seq. What killed reports left beside them is passed over."""
    signatures: set[str] = set()
    for key in archive.keys(chain.folder, without=(f"{chain.folder}/sums/",)):
        # A file in a folder deeper down is none of the chain's: its name has a `/`.
        name = key[len(chain.folder) + 1 :]
        seq = seq_of_seal(name)
        if seq is None:
            if seq_of_signature(name) is not None:
                signatures.add(key)
            continue
        content = start_of(archive, key, MAX_SEAL_BYTES + 1)
        if content is None:
            raise OSError(None, "it disappeared while it was read", key)
        wanted = chain.signature(seq, hashlib.sha256(content).hexdigest())
        yield SealFile(seq, content, _signature_at(archive, wanted) if wanted in signatures else None, False)
        signatures.clear()


def _signature_at(archive: Archive, key: str) -> SshSignature | None:
    try:
        return parse_signature((start_of(archive, key, MAX_SEAL_BYTES) or b"").decode())
    except ValueError:
        return None
