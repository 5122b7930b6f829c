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


class SumsError(Exception):
    """The sums are missing, or are not what the seal names."""


class Line(NamedTuple):
    """A document: its key without the prefix, and the SHA-256 of its bytes. `carried`: see `Seal`."""

    key: str
    sha256: bytes
    carried: bool


def sums_line(sha256_hex: str, key: str) -> bytes:
    return f"{sha256_hex}  {key}\n".encode()


def line_pattern(chain: ChainId) -> re.Pattern[bytes]:
    """Return the pattern of the lines that a chain may have: documents of its own account and kind."""
    return re.compile(rb"([0-9a-f]{64})  (%d/%s/[A-Za-z0-9_./-]+)\n" % (chain.user_id, chain.kind.encode()))


def read_sums(file: BinaryIO | None, seal: Seal) -> Iterator[Line]:
    """Yield the lines of a seal, from its sums file. Raises SumsError, possibly after the last line.

    Whoever uses the lines must drop them after an error.
    """
    if seal.documents == 0:
        _compare(hashlib.sha256(), Root(), seal)
        return
    if file is None:
        raise SumsError("the sums file is missing")
    text, root, pattern = hashlib.sha256(), Root(), line_pattern(seal.chain)
    first_carried = seal.documents - seal.carried
    try:
        with gzip.GzipFile(fileobj=file) as lines:
            for number in range(seal.documents):
                line = lines.readline(MAX_LINE_BYTES)
                match = pattern.fullmatch(line)
                if match is None or b"/../" in line or b"//" in line or b"/./" in line:
                    raise SumsError(f"line {number + 1} is no line of a document of {seal.chain}")
                text.update(line)
                root.add(line[:-1])
                yield Line(match[2].decode(), bytes.fromhex(match[1].decode()), number >= first_carried)
            if lines.read(1):
                raise SumsError(f"there are more than the {seal.documents} lines that were sealed")
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise SumsError(f"the sums file is damaged: {error}") from error
    _compare(text, root, seal)


def _compare(text: hashlib._Hash, root: Root, seal: Seal) -> None:
    if text.hexdigest() != seal.sums_sha256:
        raise SumsError("the text has another SHA-256 than was sealed")
    if root.digest().hex() != seal.merkle_root:
        raise SumsError("the lines have another Merkle root than was sealed")
