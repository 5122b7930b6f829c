"""Runs an asyncio server in a thread of its own, for stand-ins that live inside a test's process."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager

_Started = Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]]


@contextmanager
def in_thread(serving: Callable[[], AbstractAsyncContextManager[str]], name: str) -> Iterator[str]:
    """Serve for as long as the block lasts, and yield the address that `serving` yields.

    Raises what the server raises while it starts, such as OSError for a port that is taken.
    """
    started = _Started()
    thread = threading.Thread(target=_serve, args=(serving, started), name=name, daemon=True)
    thread.start()
    try:
        address, loop, stop = started.result()
        try:
            yield address
        finally:
            loop.call_soon_threadsafe(stop.set)
    finally:
        thread.join()


def _serve(serving: Callable[[], AbstractAsyncContextManager[str]], started: _Started) -> None:
    async def run() -> None:
        stop = asyncio.Event()
        async with serving() as address:
            started.set_result((address, asyncio.get_running_loop(), stop))
            await stop.wait()

    try:
        asyncio.run(run())
    except Exception as problem:  # it belongs to the thread that waits for the start
        if started.done():
            raise
        started.set_exception(problem)
