"""A chain of tasks in the second stage: mostly one slice, and several if there are more than Airflow maps."""

from __future__ import annotations

from typing import Any

import msgspec

from job_history.model.slice import Slice
from job_history.pipeline.shared_staging import Planned
from job_history_airflow.operators.staging_check import PLANNED

OTHERS = "others"
BY_SLICE = "by_slice"
BY_CONVOY = "by_convoy"
"""In what an extract returned: its convoy has made it, so that the convoy's transform fits to it."""


def entry_of(slices: list[Slice], planned: Planned) -> dict[str, Any]:
    """Return what Airflow maps over: the first slice's fields, with the others."""
    first, *others = slices
    return {
        **first.as_dict(),
        "label": first.label + (f" +{len(others)}" if others else ""),
        PLANNED: msgspec.to_builtins(planned),
        **({OTHERS: [slice_.as_dict() for slice_ in others]} if others else {}),
    }


def slices_of(entry: dict[str, Any]) -> list[Slice]:
    """Return the slices of an entry."""
    return [Slice.from_dict(each) for each in (entry, *entry.get(OTHERS, []))]


def result_of(returned: dict[str, Any] | None, slice_: Slice) -> dict[str, Any] | None:
    """Return what a task of the chain returned for a slice; None if it failed for that one."""
    if returned is None or BY_SLICE not in returned:
        return returned
    found: dict[str, Any] | None = returned[BY_SLICE].get(slice_.folder)
    return found
