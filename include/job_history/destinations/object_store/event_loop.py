"""The event loop that uploads run in."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import uvloop


def run(work: Coroutine[Any, Any, None]) -> None:
    """Do the work in an event loop, and raise what it raises, or what the handler of a signal raises meanwhile.

    A time limit is such a signal. If it comes while each upload waits for an answer, uvloop itself calls the handler,
    and would only log what it raises.
    """
    raised: list[BaseException] = []

    async def until_done_or_interrupted() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def note(_: Any, context: dict[str, Any]) -> None:
            error = context.get("exception")
            if error is None or isinstance(error, Exception):
                loop.default_exception_handler(context)
                return
            raised.append(error)
            if task is not None:
                task.cancel()

        loop.set_exception_handler(note)
        await work

    try:
        uvloop.run(until_done_or_interrupted())
    finally:
        if raised:
            raise raised[0]
