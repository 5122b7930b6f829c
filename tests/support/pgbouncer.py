"""PgBouncer from Debian's package between a client and a PostgreSQL of ours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.debian_packages import have_programs

from simulators.postgres import PostgresServer
from simulators.processes import ChildProcess, free_port


@contextmanager
def pgbouncer(server: PostgresServer, directory: Path, *, mode: str) -> Iterator[int]:
    """Run a pooler in one of its modes as long as the `with` block lasts; yields its port on 127.0.0.1.

    Two connections to the server serve all clients. Raises `PackagesUnavailable` if it cannot be installed.
    """
    have_programs("PgBouncer", ("pgbouncer",), ("pgbouncer",), log_path=directory / "apt-get.log")
    port = free_port()
    users, settings = directory / "users.txt", directory / f"pgbouncer-{port}.ini"
    users.write_text(f'"{server.user}" ""\n')
    settings.write_text(
        f"""[databases]
* = host={server.socket_folder} port={server.port} user={server.user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = {mode}
default_pool_size = 2
"""
    )
    # It refuses to run as root, and the server's socket is for the user that the server runs as.
    user = server.socket_folder.owner() if os.geteuid() == 0 else None
    if user is not None:
        for path in (users, settings):
            path.chmod(0o644)
        _let_pass(directory)
    with ChildProcess(["pgbouncer", str(settings)], log_path=directory / "pgbouncer.log", ready=port, user=user):
        yield port


def _let_pass(directory: Path) -> None:
    for folder in (directory, *directory.parents):
        if folder != Path("/") and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o001)
