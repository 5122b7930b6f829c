"""`job-history-watch`: fail if the replication stopped or fell behind, from `_control/status.json` alone."""

from __future__ import annotations

import argparse
import json
import re
import sys
import urllib.request
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from job_history_verify import __version__
from job_history_verify.moments import moment_text, parse_moment

EXIT_OK, EXIT_LATE, EXIT_NOT_READ = 0, 1, 2
VERSION = 1
_DURATION = re.compile(r"([0-9]+)([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_TIMEOUT_SECONDS = 30
_MAX_BYTES = 100_000_000


class StatusError(Exception):
    """The status cannot be read."""


def main(arguments: Sequence[str] | None = None, now: datetime | None = None) -> int:
    """Run the command; return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        problems = late(_read(options.status), options.fail_after, now or datetime.now(timezone.utc))
    except (OSError, ValueError, StatusError) as error:
        _print(options, "could not be read", [str(error)])
        return EXIT_NOT_READ
    _print(options, "late" if problems else "ok", problems)
    return EXIT_LATE if problems else EXIT_OK


def late(status: dict[str, Any], fail_after: timedelta, now: datetime) -> list[str]:
    """Return what is late: a run that should have reported, a window that is open for too long.

    Raises StatusError, ValueError if the status is not one.
    """
    version = status.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise StatusError(f"the status has version {version!r:.20}, and this program knows {VERSION}")
    problems = []
    generated_at = parse_moment(status.get("generated_at"))
    for dag, expected in sorted(_fields(status, "expected_by").items()):
        if expected is not None and parse_moment(expected) < now:
            problems.append(
                f"job_history_{dag} should have reported by {expected}, and the status is of "
                f"{moment_text(generated_at)}: the DAG is paused, the scheduler stopped, or its runs take too long"
            )
    for name, account in sorted(_fields(status, "accounts").items()):
        window = account.get("oldest_open")
        if account.get("active") is not False and window is not None:
            end = parse_moment(window.get("end"))
            if now - end > fail_after:
                problems.append(
                    f"account {name} {account.get('name', '')}: {account.get('open', 1)} windows are open, the oldest "
                    f"since {moment_text(end)}"
                )
    return problems


def _fields(status: dict[str, Any], name: str) -> dict[str, Any]:
    fields = status.get(name)
    if not isinstance(fields, dict):
        raise StatusError(f"the status has no {name}")
    return fields


def _read(place: str) -> dict[str, Any]:
    if place == "-":
        content = sys.stdin.buffer.read(_MAX_BYTES)
    elif place.startswith(("https://", "http://")):
        with urllib.request.urlopen(place, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - checked above
            content = answer.read(_MAX_BYTES)
    else:
        content = Path(place).read_bytes()
    status = json.loads(content)
    if not isinstance(status, dict):
        raise StatusError("the status is not a JSON object")
    return status


def _print(options: argparse.Namespace, result: str, problems: list[str]) -> None:
    if options.json:
        sys.stdout.write(json.dumps({"result": result, "problems": problems}) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in [f"job history replication: {result}", *problems]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="job-history-watch",
        description="Fail if the replication stopped or fell behind; reads the ledger's _control/status.json alone.",
        epilog="exit codes: 0 in time; 1 late; 2 the status could not be read.",
    )
    parser.add_argument("status", metavar="FILE", help="status.json: a file, - for standard input, or an https:// URL")
    parser.add_argument(
        "--fail-after",
        type=_duration,
        default=timedelta(hours=2),
        metavar="2h",
        help="fail if a window is open for longer after its end: 30m, 2h, 1d [default: 2h]",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON value")
    parser.add_argument("--version", action="version", version=__version__)
    return parser


def _duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text} is not a duration such as 30m, 2h or 1d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


if __name__ == "__main__":
    sys.exit(main())
