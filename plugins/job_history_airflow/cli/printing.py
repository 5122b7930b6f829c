"""Prints answers: as JSON for programs, or as text for people."""

from __future__ import annotations

import codecs
import json
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


class UnwrittenAnswerError(Exception):
    """Standard output does not take the answer: its reader has left (`is_closed`), or its disk is full."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"The answer cannot be written: {error.strerror}")
        self.is_closed = isinstance(error, BrokenPipeError)


def print_line(text: str = "") -> None:
    """Print a line of the answer to standard output; what its encoding cannot show becomes `?`, as do control
    characters, which a terminal would obey.
    """
    shown = "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)
    _write(shown.encode(_encoding(), "replace").decode(_encoding()))


def print_json(answer: Any) -> None:
    """Print a JSON value; with escapes if the encoding of standard output is not UTF-8."""
    text = msgspec.json.format(msgspec.json.encode(answer), indent=1).decode()
    if _encoding() != "utf-8":
        text = "".join(letter if letter.isascii() else json.dumps(letter)[1:-1] for letter in text)
    _write(text)


def _encoding() -> str:
    stream = click.get_current_context().obj or sys.stdout
    return codecs.lookup(getattr(stream, "encoding", None) or "utf-8").name


def _write(text: str) -> None:
    try:
        click.echo(text, file=click.get_current_context().obj)
    except OSError as error:
        raise UnwrittenAnswerError(error) from error


def print_table(heading: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    print_line(text_table(heading, rows))
