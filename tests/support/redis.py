"""Redis from Debian's package, as a message broker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.debian_packages import have_programs

from simulators.processes import ChildProcess, free_port


@contextmanager
def redis(directory: Path) -> Iterator[str]:
    """Run Redis as long as the `with` block lasts; yields its URL.

    Raises `PackagesUnavailable` if it cannot be installed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    have_programs("Redis", ("redis-server",), ("redis-server",), log_path=directory / "apt-get.log")
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with ChildProcess(command, log_path=directory / "redis.log", ready=port, working_directory=directory):
        yield f"redis://127.0.0.1:{port}/0"
