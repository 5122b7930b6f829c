"""Where seals, signatures and sums are in an archive. Keys are logical: without the destination's prefix."""

from __future__ import annotations

import re
from typing import NamedTuple

CONTROL = "_control/"
SEALS = "_control/seals"
RECEIPTS = "receipts"
SEQ_DIGITS = 12
SIGNATURE_DIGITS = 16
"""Of the SHA-256 of a seal, in its signature's name: what a killed report left cannot be taken for the signature."""

_CHAIN_FOLDER = re.compile(r"(0|[1-9][0-9]*)/([a-z_]+)")
_SEAL_NAME = re.compile(r"([0-9]{12})\.json")
_SIGNATURE_NAME = re.compile(r"([0-9]{12})-([0-9a-f]{16})\.sig")


class ChainId(NamedTuple):
    """One chain of seals: an account and a kind of event."""

    user_id: int
    kind: str

    def __str__(self) -> str:
        return f"{self.user_id}/{self.kind}"

    @property
    def folder(self) -> str:
        return f"{SEALS}/{self.user_id}/{self.kind}"

    def seal(self, seq: int) -> str:
        return f"{self.folder}/{seq:0{SEQ_DIGITS}d}.json"

    def signature(self, seq: int, seal_sha256: str) -> str:
        return f"{self.folder}/{seq:0{SEQ_DIGITS}d}-{seal_sha256[:SIGNATURE_DIGITS]}.sig"

    def sums(self, sums_sha256: str) -> str:
        return f"{self.folder}/sums/{sums_sha256}.sums.gz"


def parse_chain(text: str) -> ChainId:
    """Read `5234/jobs`. Raises ValueError."""
    match = _CHAIN_FOLDER.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r:.60} is not a chain such as 5234/jobs")
    return ChainId(int(match[1]), match[2])


def seq_of_seal(name: str) -> int | None:
    """Return the number of a seal by its file's name; None if it is not the name of a seal."""
    match = _SEAL_NAME.fullmatch(name)
    return int(match[1]) if match else None


def seq_of_signature(name: str) -> int | None:
    match = _SIGNATURE_NAME.fullmatch(name)
    return int(match[1]) if match else None
