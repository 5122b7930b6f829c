"""The head of a chain as a witness has noted it: `--expect-head USER_ID/KIND/SEQ:SHA256`."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

from job_history_verify.layout import ChainId, parse_chain

_HEAD = re.compile(r"(.+)/([1-9][0-9]{0,11}):([0-9a-fA-F]{64})")


class ExpectedHead(NamedTuple):
    """The head of a chain as a witness has it."""

    chain: ChainId
    seq: int
    sha256: str


def parse_head(text: str) -> ExpectedHead:
    """Read `5234/jobs/8760:3f81...`. Raises ValueError."""
    match = _HEAD.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r:.120} is not USER_ID/KIND/SEQ:SHA256, with all 64 digits")
    return ExpectedHead(parse_chain(match[1]), int(match[2]), match[3].lower())


def heads_of(heads: Sequence[ExpectedHead], accounts: Collection[int]) -> Sequence[ExpectedHead]:
    """Return the heads. Raises ValueError for one of an account that is not verified. `accounts`: empty for all."""
    for head in heads:
        if accounts and head.chain.user_id not in accounts:
            raise ValueError(f"the expected head {head.chain}/{head.seq} is of an account that is not verified here")
    return heads
