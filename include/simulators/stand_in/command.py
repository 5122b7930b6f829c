"""The command line of a stand-in: an option for each of its settings, so that both are described once."""

import argparse
import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import Meta


def stand_in_parser(settings: type[msgspec.Struct], *, prog: str, description: str) -> argparse.ArgumentParser:
    """Return a parser with --port, --until-input-ends and an option for each of the annotated settings."""
    options = argparse.ArgumentParser(prog=prog, description=description, argument_default=argparse.SUPPRESS)
    options.add_argument("--port", type=int, default=0, help="port on 127.0.0.1 (default: a free one)")
    options.add_argument("--until-input-ends", action="store_true", default=False, help="stop with standard input")
    for name, hint in get_type_hints(settings, include_extras=True).items():
        options.add_argument(_option(name), dest=name, metavar="VALUE", help=_description(hint))
    return options


def arguments(settings: Mapping[str, Any]) -> list[str]:
    """Return the options that give these settings."""
    return [f"{_option(name)}={_text(value)}" for name, value in settings.items()]


async def serve_until_ended(
    serving: AbstractAsyncContextManager[str], started: Callable[[str], str], *, until_input_ends: bool
) -> None:
    """Serve until SIGTERM, Ctrl-C or, if asked, the end of standard input.

    Once it is ready, print the line that `started` makes of the address (`http://127.0.0.1:PORT`).
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if until_input_ends:
        threading.Thread(target=_stop_with_input, args=(loop, stop), daemon=True).start()
    async with serving as address:
        print(started(address), flush=True)
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
    if value is None:
        return "null"
    return ",".join(value) if isinstance(value, (list, tuple)) else str(value)
