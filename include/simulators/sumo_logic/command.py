"""The command line: an option for each setting, so that both are described once, in `settings.py`."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import Meta

from .server import serving
from .settings import SourceSettings, convert_settings
from .source import Source


def parser() -> argparse.ArgumentParser:
    """The command's options."""
    options = argparse.ArgumentParser(
        prog="python -m simulators.sumo_logic",
        description="A local Sumo Logic HTTP Logs source. Prints its upload URL once it is ready.",
        argument_default=argparse.SUPPRESS,
    )
    options.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    options.add_argument("--until-input-ends", action="store_true", default=False, help="stop with standard input")
    for name, hint in get_type_hints(SourceSettings, include_extras=True).items():
        options.add_argument(_option(name), dest=name, metavar="VALUE", help=_description(hint))
    return options


def arguments(settings: Mapping[str, Any]) -> list[str]:
    """The options that stand for these settings."""
    return [f"{_option(name)}={_text(value)}" for name, value in settings.items() if value is not None]


def main(command_line: Sequence[str] | None = None) -> None:
    """Run a source until SIGTERM, Ctrl-C or, if asked, the end of standard input."""
    options = parser()
    values = vars(options.parse_args(command_line))
    port, until_input_ends = values.pop("port"), values.pop("until_input_ends")
    if "fields_schema" in values:
        values["fields_schema"] = [name.strip() for name in values["fields_schema"].split(",") if name.strip()]
    try:
        settings = convert_settings(values)
    except msgspec.ValidationError as problem:
        options.error(str(problem))
    asyncio.run(_run(Source(settings), port=port, until_input_ends=until_input_ends))


async def _run(source: Source, *, port: int, until_input_ends: bool) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if until_input_ends:
        threading.Thread(target=_stop_with_input, args=(loop, stop), daemon=True).start()
    async with serving(source, port=port) as address:
        print(f"{address}/receiver/v1/http/{source.settings.token}", flush=True)
        await stop.wait()


def _stop_with_input(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    sys.stdin.read()
    loop.call_soon_threadsafe(stop.set)


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _description(hint: Any) -> str:
    meta = next(part for part in get_args(hint) if isinstance(part, Meta))
    return (meta.description or "").replace("%", "%%")


def _text(value: Any) -> str:
    return ",".join(value) if isinstance(value, (list, tuple)) else str(value)
