"""The sums of a seal: a line per document, `<sha256>  <key>`, as `sha256sum -c` reads them, in gzip."""

from __future__ import annotations

import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from job_history_verify.layout import ChainId
from job_history_verify.merkle import Root
from job_history_verify.seal import Seal

MAX_LINE_BYTES = 2_048
_BLOCK_BYTES = 1 << 18
_NO_PART_OF_A_KEY = (b"/../", b"/./", b"//")


class SumsError(Exception):
    """The sums are missing, or are not what the seal names."""


class Line(NamedTuple):
    """A document: its key without the prefix, and the SHA-256 of its bytes in hex. `carried`: see `Seal`."""

    key: bytes
    sha256: bytes
    carried: bool


def sums_line(sha256: bytes, key: bytes) -> bytes:
    """Return a line without its end, as it is in the Merkle tree."""
    return sha256 + b"  " + key


def line_pattern(chain: ChainId) -> re.Pattern[bytes]:
    """Return the pattern of the lines that a chain may have: documents of its own account and kind."""
    return re.compile(rb"([0-9a-f]{64})  (%d/%s/[A-Za-z0-9_./-]+)\n" % (chain.user_id, chain.kind.encode()))


def read_sums(file: BinaryIO | None, seal: Seal) -> Iterator[Line]:
    """Yield the lines of a seal, from its sums file. Raises SumsError, possibly after the last line.

    After an error, the lines that were used must be dropped.
    """
    if seal.documents == 0:
        _compare(hashlib.sha256(), Root(), seal)
        return
    if file is None:
        raise SumsError("the sums file is missing")
    text, root, pattern = hashlib.sha256(), Root(), line_pattern(seal.chain)
    first_carried = seal.documents - seal.carried
    for block in _blocks(file):
        lines = block.split(b"\n")[:-1]
        fields = pattern.findall(block)
        if any(part in block for part in _NO_PART_OF_A_KEY) or [sums_line(*each) for each in fields] != lines:
            raise SumsError(f"there is a line that is none of a document of {seal.chain}")
        if root.count + len(lines) > seal.documents:
            raise SumsError(f"there are more than the {seal.documents} lines that were sealed")
        text.update(block)
        number = root.count
        root.add_all(lines)
        for sha256, key in fields:
            yield Line(key, sha256, number >= first_carried)
            number += 1
    if root.count < seal.documents:
        raise SumsError(f"there are fewer than the {seal.documents} lines that were sealed")
    _compare(text, root, seal)


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    """Unpack a sums file in blocks of whole lines."""
    rest = b""
    try:
        with gzip.GzipFile(fileobj=file) as unpacked:
            while block := unpacked.read(_BLOCK_BYTES):
                lines, newline, rest = (rest + block).rpartition(b"\n")
                if len(rest) > MAX_LINE_BYTES:
                    raise SumsError("there is a line that is too long")
                if newline:
                    yield lines + newline
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise SumsError(f"the sums file is damaged: {error}") from error
    if rest:
        raise SumsError("the last line has no end")


def _compare(text: hashlib._Hash, root: Root, seal: Seal) -> None:
    if text.hexdigest() != seal.sums_sha256:
        raise SumsError("the text has another SHA-256 than was sealed")
    if root.digest().hex() != seal.merkle_root:
        raise SumsError("the lines have another Merkle root than was sealed")
