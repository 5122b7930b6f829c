"""Merkle trees by RFC 9162."""

from __future__ import annotations

import pytest
from tests.support.sealed_archive import merkle_root

from job_history_verify.merkle import Root, inclusion_path, leaf_hash, root_by_path


def root_of(entries: list[bytes]) -> bytes:
    root = Root()
    root.add_all(entries)
    return root.digest()


@pytest.mark.parametrize("count", [*range(20), 31, 32, 33, 100, 1_023, 1_024, 1_025, 2_048, 3_100])
def test_streamed_root_is_the_root_by_definition(count: int) -> None:
    entries = [b"entry %d" % number for number in range(count)]
    assert root_of(entries) == merkle_root(entries)
    in_parts = Root()
    for start in range(0, count, 700):
        in_parts.add_all(entries[start : start + 700])
    assert in_parts.digest() == merkle_root(entries)


def test_streamed_root_keeps_only_a_stack() -> None:
    root = Root()
    for number in range(1_000):
        root.add(b"%d" % number)
        assert len(root._subtrees) <= 10


@pytest.mark.parametrize("count", [*range(1, 18), 33])
def test_inclusion_paths_lead_to_the_root(count: int) -> None:
    entries = [b"entry %d" % number for number in range(count)]
    leaves, root = [leaf_hash(entry) for entry in entries], merkle_root(entries)
    for index, leaf in enumerate(leaves):
        path = inclusion_path(leaves, index)
        assert root_by_path(leaf, index, count, path) == root
        for wrong in (path[:-1], [*path, root]):
            if wrong != path:
                with pytest.raises(ValueError, match="path is too"):
                    root_by_path(leaf, index, count, wrong)
        assert root_by_path(leaf_hash(b"other"), index, count, path) != root


def test_empty_tree_and_vector_of_certificate_transparency() -> None:
    """The inputs that RFC 6962's reference implementation tests."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    entries = [bytes.fromhex(text) for text in inputs]
    assert root_of([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert root_of(entries).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
