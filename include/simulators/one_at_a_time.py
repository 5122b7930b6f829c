"""Keeps a second `make demo`, or `make up`, out of the folder that the first one uses."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class AlreadyRunningError(RuntimeError):
    """Another process uses the folder. The message is one line for the user."""


@contextmanager
def one_at_a_time(folder: Path, command: str) -> Iterator[None]:
    """Hold the folder until the block ends, or this process does. Raises AlreadyRunningError if another one holds it.

    The lock is beside the folder, which may be deleted meanwhile. `command` is the user's, for the message.
    """
    lock = folder.with_name(f"{folder.name}.lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(
                f"Another `{command}` runs in this checkout and uses {folder}. Wait until it ends, or end it."
            ) from None
        yield
