"""Work that runs ahead of the loop that uses it, in a bounded amount."""

from __future__ import annotations

import os
import signal
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import IO, TypeVar

Digest = tuple[bytes, "bytes | None"]
"""A key, and the SHA-256 of its file in hex, if it is known."""
Work = TypeVar("Work")
Result = TypeVar("Result")

AHEAD_OF_EACH = 8
_END, _FAILED = b"- end\n", b"- failed "


def in_order(function: Callable[[Work], Result], items: Iterable[Work], at_once: int) -> Iterator[Result]:
    """Yield `function(item)` for each item, in their order; up to `at_once` run at the same time."""
    if at_once < 2:
        yield from map(function, items)
        return
    waiting = iter(items)
    with ThreadPoolExecutor(at_once) as pool:
        under_way = deque(pool.submit(function, item) for item in islice(waiting, at_once * AHEAD_OF_EACH))
        while under_way:
            result = under_way.popleft().result()
            under_way.extend(pool.submit(function, item) for item in islice(waiting, 1))
            yield result


@contextmanager
def in_another_process(digests: Callable[[], Iterator[Digest]]) -> Iterator[Callable[[], Iterator[Digest]]]:
    """Compute keys and digests in a process of their own meanwhile; the yielded function waits for them.

    They pass through a temporary file, so that neither process holds them. An OSError of the other process is raised
    here. Without a second processor, or without fork, they are computed when they are needed.
    """
    if not hasattr(os, "fork") or (os.cpu_count() or 1) < 2:
        yield digests
        return
    with tempfile.TemporaryFile() as spool:
        child = os.fork()
        if not child:
            _spool_and_exit(digests, spool)
        waited = False

        def results() -> Iterator[Digest]:
            nonlocal waited
            os.waitpid(child, 0)
            waited = True
            spool.seek(0)
            return _spooled(spool)

        try:
            yield results
        finally:
            if not waited:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)


def _spool_and_exit(digests: Callable[[], Iterator[Digest]], spool: IO[bytes]) -> None:
    try:
        try:
            for key, digest in digests():
                # A name may hold a line end, and none holds a NUL.
                spool.write((digest or b"") + b" " + key.replace(b"\n", b"\0") + b"\n")
            spool.write(_END)
        except OSError as error:
            message = f"{error.strerror or error}\n{_text(error.filename)}"
            spool.write(_FAILED + message.encode("utf-8", "surrogateescape"))
        spool.flush()
    finally:
        # Without the parent's exit handlers, which would run a second time here.
        os._exit(0)


def _text(name: object) -> str:
    return os.fsdecode(name) if isinstance(name, (str, bytes)) else ""


def _spooled(spool: IO[bytes]) -> Iterator[Digest]:
    for line in spool:
        digest, _, key = line.partition(b" ")
        if digest != b"-":
            yield key[:-1].replace(b"\0", b"\n"), digest or None
        elif line == _END:
            return
        else:
            name = spool.readline().decode("utf-8", "surrogateescape")
            raise OSError(None, line[len(_FAILED) :].decode().strip(), name)
    raise OSError(None, "the process that reads the documents was killed")
