"""`python -m simulators.sumo_logic`: a source in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from simulators.stand_in.command import serve_until_ended, stand_in_parser
from simulators.stand_in.settings import convert_settings

from .server import RECEIVER, serving
from .settings import SourceSettings
from .source import Source


def main(command_line: Sequence[str] | None = None) -> None:
    """Run a source until SIGTERM, Ctrl-C or, if asked, the end of standard input."""
    options = stand_in_parser(
        SourceSettings,
        prog="python -m simulators.sumo_logic",
        description="A local Sumo Logic HTTP Logs source. Prints its upload URL once it is ready.",
    )
    values = vars(options.parse_args(command_line))
    port, until_input_ends = values.pop("port"), values.pop("until_input_ends")
    if "fields_schema" in values:
        values["fields_schema"] = [name.strip() for name in values["fields_schema"].split(",") if name.strip()]
    try:
        settings = convert_settings(SourceSettings, values)
    except msgspec.ValidationError as problem:
        options.error(str(problem))
    asyncio.run(
        serve_until_ended(
            serving(Source(settings), port=port),
            lambda address: f"{address}{RECEIVER}/{settings.token}",
            until_input_ends=until_input_ends,
        )
    )
