"""What a day costs is computed from the benchmarks' own tables, and adds up."""

from __future__ import annotations

from collections import Counter
from typing import cast

import pytest
from tests.benchmarks.__main__ import BENCHMARKS, with_section
from tests.benchmarks.accounts import ACCOUNT_COSTS, BUSY, Size, account_costs
from tests.benchmarks.day_cost import BEGIN, DAYS, END, FIGURES, PAGE, Day, costs, tables, write
from tests.benchmarks.many_accounts import Tasks
from tests.benchmarks.scale import WINDOWS
from tests.benchmarks.table import Table, read_table

NOTHING = {"PUT": 0, "GET": 0, "LIST": 0, "DELETE": 0, "CPU s": 0.0, "objects kept": 0, "bytes kept": 0}
COSTS = Table(
    ACCOUNT_COSTS,
    [
        {"what": "an hour without jobs", **NOTHING, "PUT": 3, "GET": 2, "objects kept": 2, "bytes kept": 1_500},
        {"what": "an hour with 20 jobs", **NOTHING, "PUT": 30, "objects kept": 3, "bytes kept": 5_000},
        {"what": "its reconciliation", **NOTHING, "LIST": 4, "GET": 25, "CPU s": 0.01},
    ],
)
FIGURES_OF_A_TEST = "\n\n".join(
    ["# Page", COSTS.as_markdown(), Table(WINDOWS, [{"jobs": 1, "CPU s/1,000": 0.2}]).as_markdown(), "The end."]
)


def test_a_table_is_read_as_it_was_written() -> None:
    rows = read_table(FIGURES_OF_A_TEST, ACCOUNT_COSTS)

    assert [row["what"] for row in rows] == [row["what"] for row in COSTS.rows]
    assert (rows[0]["bytes kept"], rows[2]["CPU s"]) == ("1,500", "0.01")
    with pytest.raises(ValueError, match="no table 'Another'"):
        read_table(FIGURES_OF_A_TEST, "Another")


class _Size:
    """Runs over accounts of which one in twenty has jobs, with exact costs: of the run, of an hour and of its jobs."""

    def __init__(self, accounts: int) -> None:
        self.accounts = accounts
        self.quiet_hour = self._run(PUT=8 + 4 * accounts, GET=15 + 6 * accounts)
        self.hour = self._run(PUT=10 + 4 * accounts + 31 * accounts // BUSY, GET=15 + 6 * accounts - accounts // BUSY)
        self.reconciliation = self._run(GET=3 + 25 * accounts)

    @staticmethod
    def _run(**requests: int) -> Tasks:
        return Tasks(requests=Counter(requests))


def test_the_costs_of_an_account_leave_out_what_a_run_costs_whatever_its_accounts() -> None:
    quiet, busy, reconciled = account_costs(cast("Size", _Size(100)), cast("Size", _Size(400)))

    assert (quiet["PUT"], quiet["GET"], quiet["LIST"]) == (4, 6, 0)
    assert (busy["PUT"], busy["GET"]) == (pytest.approx(4 + 31), pytest.approx(6 - 1))
    assert (reconciled["PUT"], reconciled["GET"]) == (0, 25)


def test_no_cost_of_an_account_on_the_page_is_negative_and_jobs_cost_more_than_none() -> None:
    quiet, busy, reconciled = (
        {name: float(value.replace(",", "")) for name, value in row.items() if name != "what"}
        for row in read_table(FIGURES.read_text(), ACCOUNT_COSTS)
    )

    assert min(*quiet.values(), *busy.values(), *reconciled.values()) >= 0
    assert all(busy[name] >= quiet[name] for name in quiet)


def test_the_requests_of_a_day_are_those_of_its_hours_its_further_jobs_and_its_reconciliation() -> None:
    cost = Day(accounts=10, busy=2, jobs=2 * 24 * 20 + 7).cost(costs(FIGURES_OF_A_TEST))

    assert cost.requests["PUT"] == 8 * 24 * 3 + 2 * 24 * 30 + 7
    assert (cost.requests["LIST"], cost.requests["GET"]) == (10 * 4, 8 * 24 * 2 + 10 * 25)
    assert cost.objects == 8 * 24 * 2 + 2 * 24 * 3
    assert cost.bytes == 8 * 24 * 1_500 + 2 * 24 * 5_000 + 7 * 65


def test_convoys_follow_from_accounts_and_jobs() -> None:
    assert [Day(*day).convoys for day in [(10_000, 0, 0), (10_000, 500, 1_000), (10_000, 501, 1_000)]] == [0, 1, 2]
    assert Day(10_000, 10, 24 * 150_000).convoys == 3
    assert Day(1_000, 50, 24_000).task_instances == 24 * 10 + 10 + 2


def test_a_year_of_10000_accounts_is_about_90_million_receipts() -> None:
    _, year = tables([Day(10_000, 500, 1_000_000)], FIGURES_OF_A_TEST)

    assert year.rows[0]["receipts (million)"] == pytest.approx(87.6)


def test_the_page_has_the_tables_of_the_last_benchmark() -> None:
    made = tables([Day(*day) for day in DAYS], FIGURES.read_text())

    written = PAGE.read_text().split(BEGIN)[1].split(END)[0].strip()

    assert written == "\n\n".join(table.as_markdown() for table in made), f"run: {write.__module__}"


def test_a_benchmark_writes_its_own_section_alone() -> None:
    page = "<!-- a: begin -->old<!-- a: end --> between <!-- b: begin -->kept<!-- b: end -->"

    assert with_section(page, "a", "new") == (
        "<!-- a: begin -->\n\nnew\n\n<!-- a: end --> between <!-- b: begin -->kept<!-- b: end -->"
    )


def test_each_benchmark_has_a_section_of_the_page() -> None:
    page = FIGURES.read_text()

    assert [name for name in BENCHMARKS if with_section(page, name, "new") == page] == []
