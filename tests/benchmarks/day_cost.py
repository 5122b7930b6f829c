"""What a day of many accounts costs: requests, task instances, CPU, money, and how the ledger grows.

`python -m tests.benchmarks.day_cost` writes the tables of docs/scale.md, by the figures that the benchmarks `accounts`
and `scale` have written into docs/performance.md. With `ACCOUNTS BUSY JOBS` it prints a day of your own: BUSY of the
accounts have jobs in each hour, JOBS is their number a day, all together.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

from tests.benchmarks.accounts import ACCOUNT_COSTS
from tests.benchmarks.many_accounts import JOBS_EACH
from tests.benchmarks.scale import WINDOWS
from tests.benchmarks.table import Table, read_table

from job_history_airflow.provider_info import get_provider_info
from simulators.project import ROOT

FIGURES = ROOT / "docs" / "performance.md"
PAGE = ROOT / "docs" / "scale.md"
BEGIN, END = "<!-- written by `python -m tests.benchmarks.day_cost`: begin -->", "<!-- end -->"
# Dollars: S3 Standard and Fargate in us-east-1, list prices of 2026. Deleting is free.
PRICES = {"PUT": 0.005 / 1_000, "LIST": 0.005 / 1_000, "GET": 0.0004 / 1_000, "DELETE": 0.0}
DOLLARS_A_CORE_HOUR = 0.05
DOLLARS_A_GIGABYTE_MONTH = 0.023
# Of an hourly run with one convoy or none, and of a reconciliation without its `compare` and with nothing to run.
TASKS_OF_A_RUN = 10
TASKS_OF_A_CONVOY = 3
TASKS_OF_A_RECONCILIATION = 10
# Starting a task: a process, imports, Airflow's own work.
CPU_SECONDS_A_TASK = 2.0
# Of an item list with thousands of jobs, in the ledger.
BYTES_AN_ITEM = 65
DAYS = [(100, 50, 100_000), (1_000, 200, 1_000_000), (10_000, 500, 1_000_000), (10_000, 5_000, 100_000_000)]


@dataclass(frozen=True)
class Cost:
    """What something costs: requests by kind, CPU seconds, objects and bytes that the ledger keeps."""

    requests: dict[str, float]
    cpu_seconds: float
    objects: float
    bytes: float

    @classmethod
    def of(cls, row: dict[str, str]) -> Cost:
        figures = {name: float(value.replace(",", "")) for name, value in row.items() if name != "what"}
        requests = {kind: figures[kind] for kind in PRICES}
        return cls(requests, figures["CPU s"], figures["objects kept"], figures["bytes kept"])

    def times(self, number: float) -> Cost:
        requests = {kind: value * number for kind, value in self.requests.items()}
        return Cost(requests, self.cpu_seconds * number, self.objects * number, self.bytes * number)

    def plus(self, other: Cost) -> Cost:
        requests = {kind: value + other.requests[kind] for kind, value in self.requests.items()}
        return Cost(
            requests, self.cpu_seconds + other.cpu_seconds, self.objects + other.objects, self.bytes + other.bytes
        )


@dataclass(frozen=True)
class Day:
    """`busy` of the accounts have jobs in each hour; `jobs` a day, of all of them together."""

    accounts: int
    busy: int
    jobs: int

    @property
    def jobs_an_hour(self) -> float:
        return self.jobs / 24

    @property
    def convoys(self) -> int:
        """Of an hourly run: as many as the limits ask for. An account with more jobs has tasks of its own instead."""
        return max(
            math.ceil(self.busy / _option("max_accounts_per_convoy")),
            math.ceil(self.jobs_an_hour / _option("max_jobs_per_convoy")),
        )

    @property
    def task_instances(self) -> int:
        hourly = TASKS_OF_A_RUN + TASKS_OF_A_CONVOY * max(self.convoys - 1, 0)
        compared = math.ceil(self.accounts / _option("max_accounts_per_convoy"))
        return 24 * hourly + TASKS_OF_A_RECONCILIATION + compared

    def cost(self, of: Costs) -> Cost:
        """Add up the hours of all accounts, the jobs beyond those of the measured hours, and the reconciliation."""
        further = max(self.jobs - self.busy * 24 * JOBS_EACH, 0)
        return (
            of.quiet.times((self.accounts - self.busy) * 24)
            .plus(of.busy.times(self.busy * 24))
            .plus(of.job.times(further))
            .plus(of.reconciled.times(self.accounts))
            .plus(Cost(dict.fromkeys(PRICES, 0.0), self.task_instances * CPU_SECONDS_A_TASK, 0, 0))
        )


def _option(name: str) -> int:
    return int(get_provider_info()["config"]["job_history"]["options"][name]["default"])


class Costs(NamedTuple):
    """What an account costs in a quiet hour, in a busy one and a day for its reconciliation; and what a job costs."""

    quiet: Cost
    busy: Cost
    reconciled: Cost
    job: Cost


def costs(figures: str) -> Costs:
    """Read them from the page of the benchmarks."""
    quiet, busy, reconciled = map(Cost.of, read_table(figures, ACCOUNT_COSTS))
    a_thousand_jobs = median(float(row["CPU s/1,000"]) for row in read_table(figures, WINDOWS))
    job = Cost({kind: float(kind == "PUT") for kind in PRICES}, a_thousand_jobs / 1_000, 0, BYTES_AN_ITEM)
    return Costs(quiet, busy, reconciled, job)


def tables(days: list[Day], figures: str) -> list[Table]:
    of_account = costs(figures)
    several = [(day, day.cost(of_account)) for day in days]
    return [
        Table("A day", [_day(day, cost) for day, cost in several]),
        Table("The ledger after a year, without its deletion", [_year(day, cost) for day, cost in several]),
    ]


def _day(day: Day, cost: Cost) -> dict[str, object]:
    dollars = sum(cost.requests[kind] * price for kind, price in PRICES.items())
    return {
        **_named(day),
        **{f"{kind} (1,000)": cost.requests[kind] / 1_000 for kind in ("PUT", "GET", "LIST")},
        "task instances": day.task_instances,
        "cores": cost.cpu_seconds / 86_400,
        "requests $": dollars,
        "CPU $": cost.cpu_seconds / 3_600 * DOLLARS_A_CORE_HOUR,
    }


def _year(day: Day, cost: Cost) -> dict[str, object]:
    gigabytes = cost.bytes * 365 / 1e9
    return {
        **_named(day),
        "receipts (million)": day.accounts * 24 * 365 / 1e6,
        "objects (million)": cost.objects * 365 / 1e6,
        "GB": gigabytes,
        "ledger $ a month": gigabytes * DOLLARS_A_GIGABYTE_MONTH,
    }


def _named(day: Day) -> dict[str, object]:
    return {"accounts": day.accounts, "with jobs": day.busy, "jobs a day": day.jobs}


def write(page: Path = PAGE, figures: Path = FIGURES) -> None:
    """Write the tables into the page."""
    before, rest = page.read_text().split(BEGIN)
    made = tables([Day(*day) for day in DAYS], figures.read_text())
    text = "\n\n".join(table.as_markdown() for table in made)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    if asked := [int(word) for word in sys.argv[1:]]:
        for table in tables([Day(*asked)], FIGURES.read_text()):
            print(table.as_markdown(), end="\n\n")
    else:
        write()
