"""`job-history-watch`: fail if the replication stopped or is late, from `_control/status.json` alone."""

from __future__ import annotations

import argparse
import io
import json
import sys
import time
import urllib.request
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from http.client import HTTPException
from pathlib import Path
from typing import Any, NamedTuple

from job_history_verify import __version__
from job_history_verify.moments import CLOCK_TOLERANCE, HOUR, LATEST_EXPECTED, moment_text, parse_duration, parse_moment

EXIT_OK, EXIT_LATE, EXIT_NOT_READ = 0, 1, 2
VERSION = 1
DAGS = ("replication", "reconciliation")
_TIMEOUT_SECONDS = 30
_MAX_BYTES = 100_000_000


class StatusError(Exception):
    """The status cannot be read, or holds what no report writes."""


class Judgement(NamedTuple):
    """`problems`: what is late; `notes`: what is not watched."""

    problems: list[str]
    notes: list[str]


def main(arguments: Sequence[str] | None = None, now: datetime | None = None) -> int:
    """Run the command; return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        found = judge(_read(options.status), options.fail_after, now or datetime.now(timezone.utc))
    except (OSError, ValueError, HTTPException, StatusError) as error:
        return _answer(options, "could not be read", Judgement([str(error) or type(error).__name__], []), EXIT_NOT_READ)
    if found.problems:
        return _answer(options, "late", found, EXIT_LATE)
    return _answer(options, "ok", found, EXIT_OK)


def judge(content: bytes, fail_after: timedelta, now: datetime) -> Judgement:
    """Judge the bytes of a status: is a run late that should have reported, is a window open for too long?

    Raises StatusError if they are not a status. Nothing that a report does not write is taken for "in time".
    """
    try:
        status = _decoded(content)
        _check_generated_at(status, now)
        late_dags, notes = _judge_dags(status, now)
        return Judgement(late_dags + _late_accounts(status, fail_after, now), notes)
    except ValueError as error:
        raise StatusError(str(error)) from None


def _decoded(content: bytes) -> dict[str, Any]:
    try:
        status = json.loads(content)
    except RecursionError:
        raise StatusError("the status is nested too deeply") from None
    if not isinstance(status, dict):
        raise StatusError("the status is not a JSON object")
    version = status.get("version")
    if type(version) is not int or not 1 <= version <= VERSION:
        raise StatusError(f"the status has version {version!r:.20}, and this program knows {VERSION}")
    return status


def _check_generated_at(status: dict[str, Any], now: datetime) -> None:
    generated_at = parse_moment(status.get("generated_at"))
    if generated_at - now > CLOCK_TOLERANCE:
        raise StatusError(
            f"the status was generated at {moment_text(generated_at)}, which is in the future: the clock of a worker, "
            "or of this machine, is wrong"
        )


def _judge_dags(status: dict[str, Any], now: datetime) -> tuple[list[str], list[str]]:
    """Return the DAGs that should have reported by now, and those of which no run is expected."""
    generated_at, expected_by = parse_moment(status["generated_at"]), _fields(status, "expected_by")
    late, notes = [], []
    for dag in DAGS:
        if dag not in expected_by:
            raise StatusError(f"the status has no expected_by of {dag}")
        if expected_by[dag] is None:
            notes.append(f"job_history_{dag} is not watched: no scheduled run of it has reported yet")
            continue
        expected = parse_moment(expected_by[dag])
        if expected - now > LATEST_EXPECTED:
            raise StatusError(f"job_history_{dag} is expected by {moment_text(expected)}, which is too late to be true")
        if expected < now:
            late.append(
                f"job_history_{dag} should have reported by {moment_text(expected)}, and the status is of "
                f"{moment_text(generated_at)}: the DAG is paused, the scheduler stopped, its runs cannot be planned or "
                "take too long"
            )
    return late, notes


def _late_accounts(status: dict[str, Any], fail_after: timedelta, now: datetime) -> list[str]:
    """Return the active accounts with a window that is open for longer, or that no run has touched."""
    late: list[str] = []
    accounts = _fields(status, "accounts")
    for name in sorted(accounts):
        account = _fields(accounts, name)
        number, active = account.get("open"), account.get("active")
        if type(number) is not int or type(active) is not bool:
            raise StatusError(f"account {_printable(name)} has no number of open windows, or is neither active nor not")
        label = _printable(f"{name} {account.get('name', '')}".strip())
        problems = (_open_windows(account, number, fail_after, now), _missed_hours(account, fail_after, now))
        late += [f"account {label}: {problem}" for problem in problems if active and problem]
    return late


def _open_windows(account: dict[str, Any], number: int, fail_after: timedelta, now: datetime) -> str:
    if not number:
        return ""
    end = parse_moment(_fields(account, "oldest_open").get("end"))
    windows = "1 window is" if number == 1 else f"{number} windows are"
    return f"{windows} open, the oldest since {moment_text(end)}" if now - end > fail_after else ""


def _missed_hours(account: dict[str, Any], fail_after: timedelta, now: datetime) -> str:
    """Return the problem if scheduled runs left out hours, which an earlier release does not write down."""
    missed = account.get("missed", [])
    if not isinstance(missed, list) or not all(isinstance(each, dict) for each in missed):
        raise StatusError("the missed hours of an account are not a list of windows")
    ranges = sorted((parse_moment(each.get("start")), parse_moment(each.get("end"))) for each in missed)
    hours = sum((end - start) / HOUR for start, end in ranges)
    if not ranges or now - ranges[0][0] - HOUR <= fail_after:
        return ""
    return (
        f"{hours:.0f} hours that no run has touched, the first from {moment_text(ranges[0][0])}: start a backfill, or "
        "let job_history_reconciliation run"
    )


def _fields(status: dict[str, Any], name: str) -> dict[str, Any]:
    fields = status.get(name)
    if not isinstance(fields, dict):
        raise StatusError(f"the status has no {_printable(name)}, or it is not an object")
    return fields


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text[:200])


def _read(place: str) -> bytes:
    if place == "-":
        content = sys.stdin.buffer.read(_MAX_BYTES + 1)
    elif place.startswith(("https://", "http://")):
        content = _download(place)
    else:
        with Path(place).open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    if len(content) > _MAX_BYTES:
        raise StatusError(f"the status is larger than {_MAX_BYTES:,} bytes")
    return content


def _download(url: str) -> bytes:
    """Read a URL, for 30 s at most: a server that sends a byte now and then does not hold the command."""
    until, content = time.monotonic() + _TIMEOUT_SECONDS, bytearray()
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - the caller checks the scheme
        length = answer.headers.get("Content-Length")
        while (part := answer.read1(65_536)) and len(content) <= _MAX_BYTES:
            content += part
            if time.monotonic() > until:
                raise StatusError(f"the status was not read within {_TIMEOUT_SECONDS} s")
    if length is not None and length.isdecimal() and len(content) < min(int(length), _MAX_BYTES):
        raise StatusError(f"the answer ended after {len(content):,} of {length} bytes")
    return bytes(content)


def _answer(options: argparse.Namespace, result: str, found: Judgement, exit_code: int) -> int:
    """Print the answer, and return the exit code: that of a failure if it cannot be printed."""
    try:
        _print(options, result, found)
        sys.stdout.flush()
    except OSError:
        # Python would flush again at its end, and exit with a code of its own.
        sys.stdout = io.StringIO()
        return exit_code or EXIT_NOT_READ
    return exit_code


def _print(options: argparse.Namespace, result: str, found: Judgement) -> None:
    if options.json:
        sys.stdout.write(json.dumps({"result": result, **found._asdict()}) + "\n")
    else:
        lines = [f"job history replication: {result}", *found.problems, *found.notes]
        sys.stdout.write("".join(f"{line}\n" for line in lines))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="job-history-watch",
        description="Fail if the replication stopped or is late; reads the ledger's _control/status.json alone.",
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
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


if __name__ == "__main__":
    sys.exit(main())
