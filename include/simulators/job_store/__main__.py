"""`python -m simulators.job_store`: write the demo's accounts to a database and print what is in it."""

import argparse
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
from rich import box
from rich.console import Console
from rich.table import Table

from .database import fill, fill_events
from .demo import DEMO_ACCOUNTS, DEMO_SEED
from .rows import SampleJob
from .schema import Connection, Dialect, create


def main() -> None:
    arguments = _arguments()
    dialect: Dialect = "sqlite" if arguments.sqlite else "postgresql"
    start = arguments.end - timedelta(hours=arguments.hours)
    statuses: dict[int, Counter[str]] = {account.user_id: Counter() for account in DEMO_ACCOUNTS}
    connection: Connection = (
        sqlite3.connect(arguments.sqlite) if arguments.sqlite else psycopg.connect(arguments.postgres)
    )
    with closing(connection):
        create(connection, dialect)
        for account in DEMO_ACCOUNTS:
            jobs = account.jobs(arguments.seed, start, arguments.end)
            fill(connection, dialect, _counted(jobs, statuses[account.user_id]))
            fill_events(connection, dialect, account.events(arguments.seed, start, arguments.end))
    Console().print(_table(statuses, f"Jobs from {start.isoformat()} to {arguments.end.isoformat()}"))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simulators.job_store", description=main.__doc__ or __doc__)
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--sqlite", type=_new_file, metavar="PATH", help="a file that does not exist yet")
    place.add_argument("--postgres", metavar="URI", help="an empty database")
    parser.add_argument("--seed", type=int, default=DEMO_SEED)
    parser.add_argument("--hours", type=int, default=24, help="length of the window")
    parser.add_argument("--end", type=_instant, required=True, help="end of the window, as 2018-05-22T00:00:00Z")
    return parser.parse_args()


def _new_file(text: str) -> Path:
    if Path(text).exists():
        raise argparse.ArgumentTypeError(f"{text} exists; name a new file, or delete it first.")
    return Path(text)


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text} has no offset; write it as 2018-05-22T00:00:00Z.")
    return instant


def _counted(jobs: Iterator[SampleJob], statuses: Counter[str]) -> Iterator[SampleJob]:
    for job in jobs:
        statuses[job.status] += 1
        yield job


def _table(statuses: dict[int, Counter[str]], title: str) -> Table:
    names = sorted({name for counter in statuses.values() for name in counter})
    table = Table(title=title, box=box.SIMPLE_HEAD, padding=(0, 0, 0, 1))
    table.add_column("account", no_wrap=True)
    for name in (*names, "all"):
        table.add_column(name, justify="right", no_wrap=True)
    for account in DEMO_ACCOUNTS:
        counter = statuses[account.user_id]
        numbers = [counter[name] for name in names]
        table.add_row(f"{account.user_id} {account.name}", *(str(number) for number in (*numbers, sum(numbers))))
    return table


if __name__ == "__main__":
    main()
