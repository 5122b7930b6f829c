"""Runs an asyncio server in a thread of its own, for stand-ins that live inside a test's process."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Any

from aiohttp import web

# Short, since tests wait for it; zero would mean without end.
_SHUTDOWN_SECONDS = 0.05
_Started = Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]]


@asynccontextmanager
async def served(application: web.Application, *, port: int = 0, **options: Any) -> AsyncIterator[str]:
    """Serve an application on 127.0.0.1, and yield its address (`http://127.0.0.1:PORT`); port 0 takes a free one.

    `options` are those of `web.AppRunner`. No access log: it would contain tokens.
    """
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS, **options)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


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
