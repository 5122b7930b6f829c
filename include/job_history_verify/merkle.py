"""Merkle trees by RFC 9162 (section 2.1), with SHA-256: the root as a stream, and inclusion proofs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import reduce

_sha256 = hashlib.sha256
_BLOCK = 1_024


def leaf_hash(entry: bytes) -> bytes:
    return _sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return _sha256(b"\1" + left + right).digest()


class Root:
    """Hashes entries one after another; it keeps the roots of log2(n) complete subtrees."""

    def __init__(self) -> None:
        self.count = 0
        self._subtrees: list[bytes] = []

    def add(self, entry: bytes) -> None:
        self._push(leaf_hash(entry), 1)

    def add_all(self, entries: Sequence[bytes]) -> None:
        """Add entries one after another; many of them are hashed level by level, in half the time."""
        position = 0
        while position < len(entries):
            if self.count % _BLOCK == 0 and len(entries) - position >= _BLOCK:
                self._push(_root_of_block(entries[position : position + _BLOCK]), _BLOCK)
                position += _BLOCK
            else:
                self.add(entries[position])
                position += 1

    def _push(self, node: bytes, leaves: int) -> None:
        """Add a complete subtree of so many leaves, a power of two; `count` is a multiple of it."""
        # Each low one-bit of the count is a complete subtree of that size, which the new one is joined to.
        size = self.count // leaves
        while size & 1:
            node = node_hash(self._subtrees.pop(), node)
            size >>= 1
        self._subtrees.append(node)
        self.count += leaves

    def digest(self) -> bytes:
        if not self._subtrees:
            return _sha256().digest()
        return reduce(lambda right, left: node_hash(left, right), reversed(self._subtrees))


def _root_of_block(entries: Sequence[bytes]) -> bytes:
    nodes = [_sha256(b"\0" + entry).digest() for entry in entries]
    while len(nodes) > 1:
        pairs = iter(nodes)
        nodes = [_sha256(b"\1" + left + right).digest() for left, right in zip(pairs, pairs)]
    return nodes[0]


def inclusion_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the hashes that lead from one leaf to the root, the lowest first. `leaves` are leaf hashes."""
    path: list[bytes] = []
    first, last = 0, len(leaves)
    while last - first > 1:
        middle = first + _split(last - first)
        if index < middle:
            path.append(_root_of_leaves(leaves, middle, last))
            last = middle
        else:
            path.append(_root_of_leaves(leaves, first, middle))
            first = middle
    return path[::-1]


def root_by_path(leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes:
    """Return the root that a leaf and its path lead to. Raises ValueError if the path has the wrong length."""
    if not 0 <= index < count:
        raise ValueError(f"index {index} is outside of {count} leaves")
    node, position, last = leaf, index, count - 1
    for sibling in path:
        if last == 0:
            raise ValueError("the path is too long")
        if position & 1 or position == last:
            node = node_hash(sibling, node)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    if last:
        raise ValueError("the path is too short")
    return node


def _split(count: int) -> int:
    """Return the largest power of two below the count."""
    return 1 << (count - 1).bit_length() - 1


def _root_of_leaves(leaves: Sequence[bytes], first: int, last: int) -> bytes:
    if last - first == 1:
        return leaves[first]
    middle = first + _split(last - first)
    return node_hash(_root_of_leaves(leaves, first, middle), _root_of_leaves(leaves, middle, last))
