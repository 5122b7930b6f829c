"""A chain of tasks in the second stage: mostly one slice, and several if there are more than Airflow maps."""

from __future__ import annotations

import secrets
from typing import Any

import msgspec

from job_history.errors import PermanentError
from job_history.model.slice import Slice
from job_history.pipeline.convoy_files import ConvoyFiles
from job_history.pipeline.shared_staging import Planned
from job_history.storage import Storage
from job_history_airflow.operators.staging_check import PLANNED

CHAIN = "chain"
"""Its number, from 1, if it has several slices. They are in a file: ten thousand would make an XCom of 3 MB."""
CLOSE = "close"
"""What no other `close`, and no other try of it, has: a chain takes over once what a convoy has made."""
BY_SLICE = "by_slice"
BY_CONVOY = "by_convoy"
"""In what an extract returned: its convoy has made it, so that the convoy's transform fits to it."""


def entries_of(chains: list[list[Slice]], planned: Planned) -> list[dict[str, Any]]:
    """Return what Airflow maps over: the fields of a chain's one slice, or the number of a chain that has several."""
    of_each = {PLANNED: msgspec.to_builtins(planned), CLOSE: secrets.token_hex(4)}
    return [{**_own_entry(number, chain), **of_each} for number, chain in enumerate(chains, start=1)]


def _own_entry(number: int, chain: list[Slice]) -> dict[str, Any]:
    first, *others = chain
    if not others:
        return {**first.as_dict(), "label": first.label}
    return {CHAIN: number, "run": first.run, "label": f"{first.label} +{len(others)}"}


def slices_of(entry: dict[str, Any], staging: Storage) -> list[Slice]:
    """Return the slices of an entry. Raises PermanentError if the file that has them is gone."""
    if CHAIN not in entry:
        return [Slice.from_dict(entry)]
    chains = ConvoyFiles(staging, entry["run"]).chains()
    if len(chains) < entry[CHAIN]:
        raise PermanentError(
            f"The slices of chain {entry[CHAIN]} of the run are gone. Clear the run's `close` and what is downstream."
        )
    return chains[entry[CHAIN] - 1]


def close_of(entry: dict[str, Any]) -> str:
    """Return which `close` returned the entry."""
    close: str = entry.get(CLOSE, "")
    return close


def result_of(returned: dict[str, Any] | None, slice_: Slice) -> dict[str, Any] | None:
    """Return what a task of the chain returned for a slice; None if it failed for that one."""
    if returned is None or BY_SLICE not in returned:
        return returned
    found: dict[str, Any] | None = returned[BY_SLICE].get(slice_.folder)
    return found
