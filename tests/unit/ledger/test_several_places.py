"""A window whose parts went to several places, by an account that moves away and back: nothing is forgotten."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.ledger.test_revisions import AWAY, HERE, listed, newest, reading

from job_history.ledger.items import items_at
from job_history.ledger.receipt import WindowState
from job_history.ledger.receipt_store import add_revision
from job_history.pipeline.make_receipt import merge_destinations
from job_history.storage import Storage, local_storage

PLACES = {"here": HERE, "away": AWAY, "another bucket": {**HERE, "bucket": "globex-audit"}}

parts = st.tuples(st.sampled_from(list(PLACES)), st.sets(st.integers(1, 5), max_size=4))
runs = st.tuples(
    st.lists(parts, max_size=3), st.sampled_from([WindowState.COMPLETE, WindowState.FAILED]), st.integers(0, 14)
)


def must_be_at(ledger: Storage, place: dict[str, Any]) -> set[int]:
    receipt = newest(ledger)
    paths = (*receipt.items, *receipt.elsewhere)
    return {int(item.job_id) for path in paths for item in items_at(ledger, path, place) if item.must_be_there}


@pytest.mark.promise("receipts-never-forget", "a-place-is-more-than-a-name")
@given(several=st.lists(runs, min_size=1, max_size=5))
@settings(deadline=None, max_examples=60)
def test_what_was_delivered_to_any_place_must_be_there_for_ever(
    several: list[tuple[list[tuple[str, set[int]]], WindowState, int]],
) -> None:
    delivered: dict[str, set[int]] = {name: set() for name in PLACES}
    with tempfile.TemporaryDirectory() as folder:
        ledger = local_storage(Path(folder))
        for number, (slices, state, minute) in enumerate(several):
            for name, numbers in slices:
                delivered[name] |= numbers
            destination = merge_destinations([PLACES[name] for name, _ in slices] or [HERE])
            add_revision(
                ledger,
                reading(
                    f"run-{number}",
                    sum(len(numbers) for _, numbers in slices),
                    state=state,
                    minute=minute,
                    items=[listed(ledger, numbers, PLACES[name]) for name, numbers in slices],
                    destination=destination,
                ),
            )
            for name, place in PLACES.items():
                assert must_be_at(ledger, place) == delivered[name]
