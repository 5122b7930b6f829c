"""Prints answers: as JSON for programs, or as text for people."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from typing import Any

import click
import msgspec

from job_history.tables import text_table

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")


def reserve_stdout_for_answers() -> None:
    """Send everything except answers to standard error while the command runs: Airflow logs to standard output."""
    context = click.get_current_context()
    context.obj = sys.stdout
    for handler in _handlers():
        if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stdout:
            handler.setStream(sys.stderr)
    context.with_resource(redirect_stdout(sys.stderr))


def _handlers() -> Iterator[logging.Handler]:
    """Yield the handlers that exist already, if Airflow was imported before."""
    yield from logging.getLogger().handlers
    for each in list(logging.getLogger().manager.loggerDict.values()):
        if isinstance(each, logging.Logger):
            yield from each.handlers


def print_line(text: str = "") -> None:
    """Print a line of the answer to standard output."""
    click.echo(text, file=click.get_current_context().obj)


def print_json(answer: Any) -> None:
    print_line(msgspec.json.format(msgspec.json.encode(answer), indent=1).decode())


def print_table(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    print_line(text_table(heading, rows))
