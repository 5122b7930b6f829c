"""A convoy: small slices of several accounts that share one chain of tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from job_history.accounts.account import Account
from job_history.model.slice import RUNS, Slice
from job_history.pipeline.packing import Limits, Load, pack
from job_history.pipeline.results import Plan, PlannedWindow

JOBS_A_SECOND = 500
"""Of a SQL source, in the slowest of the three steps."""
SECONDS_A_SLICE = 0.5
"""What a slice costs a step apart from its jobs: requests to source, staging, ledger and destination."""
UNKNOWN_SECONDS = 60.0


class Convoy(msgspec.Struct, frozen=True):
    """The slices in their order. `number` counts the convoys of a run from 1."""

    run: str
    number: int
    slices: list[Slice]

    @property
    def path(self) -> str:
        return convoy_path(self.run, self.number)

    @property
    def label(self) -> str:
        """The name of the convoy in the UI: `5234 Acme +12`, the first account and how many others."""
        first = self.slices[0]
        others = len({slice_.user_id for slice_ in self.slices}) - 1
        return f"{first.user_id} {first.name}" + (f" +{others}" if others else "")


def convoy_path(run: str, number: int) -> str:
    return f"{RUNS}/{run}/convoys/{number:04d}.json"


@dataclass(frozen=True)
class Packed:
    """The slices of a run: in convoys, or too large for one."""

    convoys: list[Convoy]
    large: list[Slice]


def pack_slices(run: str, plans: list[Plan], accounts: Mapping[int, Account], limits: Limits) -> Packed:
    """Pack the slices of a run's plans."""
    planned_by_slice = {slice_: planned for plan in plans for planned in plan.windows for slice_ in planned.slices}
    packed, large = pack(
        planned_by_slice, lambda slice_: _load(planned_by_slice[slice_], accounts[slice_.user_id]), limits
    )
    return Packed([Convoy(run, number, slices) for number, slices in enumerate(packed, start=1)], large)


def _load(planned: PlannedWindow, account: Account) -> Load:
    parts = len(planned.slices)
    jobs = (planned.counted or 0) / parts
    return Load(
        account=planned.user_id,
        jobs=round(jobs),
        seconds=_seconds(planned) / parts,
        together=f"{account.source.model_dump_json()} {account.destination.model_dump_json()}",
    )


def _seconds(planned: PlannedWindow) -> float:
    if planned.cost is not None:
        return SECONDS_A_SLICE + planned.cost.seconds
    if planned.counted is None:
        return UNKNOWN_SECONDS
    return SECONDS_A_SLICE + planned.counted / JOBS_A_SECOND
