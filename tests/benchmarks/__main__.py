"""The command of `make bench`: run all benchmarks, or the named ones, and print their tables.

`--quick` takes fewer and smaller ones; `--write` puts the tables into the benchmark's section of docs/performance.md.
Exit code 1: a promise of docs/performance.md was not kept.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks import (
    accounts,
    commands,
    end_to_end,
    large_account,
    object_stores,
    redaction,
    s3_load,
    scale,
    scheduler,
    seals,
    sumo_logic,
)
from tests.benchmarks.table import Table

from simulators.project import ROOT

PAGE = ROOT / "docs" / "performance.md"
VERSIONS_SHOWN = ("apache-airflow", "obstore", "uvloop", "msgspec", "boto3", "psycopg2-binary")


# Each yields its tables one by one, because there are minutes between them.
BENCHMARKS: dict[str, Callable[..., Iterator[Table]]] = {
    "load": s3_load.tables,
    "object_stores": object_stores.tables,
    "end_to_end": end_to_end.tables,
    "scale": scale.tables,
    "accounts": accounts.tables,
    "scheduler": scheduler.tables,
    "large_account": large_account.tables,
    "sumo_logic": sumo_logic.tables,
    "redaction": redaction.tables,
    "seals": seals.tables,
    "commands": commands.tables,
}


def main() -> int:
    asked = _arguments()
    is_kept = True
    with tempfile.TemporaryDirectory() as home:
        # For the processes that import Airflow. The logs of its tasks would fill the screen.
        os.environ.update(AIRFLOW_HOME=home, AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR", NO_PROXY="127.0.0.1,localhost")
        for name in asked.names or BENCHMARKS:
            load_before, started = os.getloadavg()[0], time.monotonic()
            tables: list[Table] = []
            for table in BENCHMARKS[name](quick=asked.quick):
                tables.append(table)
                print(table.as_markdown(), end="\n\n", flush=True)
            circumstances = _circumstances(name, load_before, time.monotonic() - started)
            print(circumstances, end="\n\n", flush=True)
            is_kept &= all(row.get("kept") != "NO" for table in tables for row in table.rows)
            if asked.write:
                text = "\n\n".join([circumstances, *(table.as_markdown() for table in tables)])
                PAGE.write_text(with_section(PAGE.read_text(), name, text))
                for plot in (table.plot for table in tables if table.plot):
                    (PAGE.parent / plot.file_name).write_text(plot.as_svg())
    return int(not is_kept)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under three minutes")
    parser.add_argument(
        "--write", action="store_true", help=f"put the tables into {PAGE.relative_to(ROOT)}, and the plots beside it"
    )
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(BENCHMARKS)}; none: all")
    asked = parser.parse_args()
    if unknown := [name for name in asked.names if name not in BENCHMARKS]:
        parser.error(f"no benchmark is called {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    return asked


def _circumstances(name: str, load_before: float, seconds: float) -> str:
    versions = ", ".join(f"{name} {version(name)}" for name in VERSIONS_SHOWN)
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} cores, {_processor()}, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}; {versions}.\n"
        f"Command: `python -m tests.benchmarks {' '.join(sys.argv[1:])}`; `{name}` took {seconds / 60:.0f} minutes, on "
        f"a machine whose load average was {load_before:.1f} before."
    )


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if not information.exists():
        return platform.processor()
    names = [line.split(": ")[1] for line in information.read_text().splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def with_section(page: str, name: str, text: str) -> str:
    """Return the page with the text as the section of a benchmark; those of the others stay."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, rest = page.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}\n\n{text}\n\n{end}{after}"


if __name__ == "__main__":
    sys.exit(main())
