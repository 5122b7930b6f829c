"""MariaDB from Debian's packages, as a judge of the MySQL dialect, and the drivers that Airflow's MySQL hook can
use.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.client_environments import UV, make_once, run_installer
from tests.support.debian_packages import have_programs

from simulators.processes import ChildProcess, free_port

PACKAGES = ("mariadb-server-core", "mariadb-client-core", "libmariadb-dev")
PROGRAMS = ("mariadbd", "mariadb-install-db", "my_print_defaults", "mariadb_config")
_REQUIREMENTS = Path(__file__).parent / "mysql" / "requirements.txt"
_START_SECONDS = 60


@dataclass(frozen=True)
class MariadbServer:
    """A running server on 127.0.0.1, whose time zone is -05:00: a session's own is what counts."""

    port: int
    user: str = "judge"
    password: str = "judge-password"

    def writer(self, database: str) -> Any:
        """Open a connection that takes the SQL of other databases: quotation marks for names, `||` for texts."""
        import MySQLdb

        return MySQLdb.connect(
            host="127.0.0.1",
            port=self.port,
            user=self.user,
            passwd=self.password,
            db=database,
            charset="utf8mb4",
            init_command="SET sql_mode = 'ANSI,STRICT_ALL_TABLES'",
        )

    def connect(self, database: str, driver: str = "mysqlclient") -> Any:
        """Open a connection as Airflow's hook does with this driver."""
        if driver == "mysqlclient":
            import MySQLdb

            return MySQLdb.connect(host="127.0.0.1", port=self.port, user=self.user, passwd=self.password, db=database)
        import mysql.connector

        return mysql.connector.connect(
            host="127.0.0.1", port=self.port, user=self.user, password=self.password, database=database
        )

    def create_database(self, name: str) -> None:
        with closing(self.connect("")) as connection, closing(connection.cursor()) as cursor:
            cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4")


@contextmanager
def mariadb_server(directory: Path) -> Iterator[MariadbServer]:
    """Run a server as long as the `with` block lasts; its data is below `directory`, which exists.

    Raises `PackagesUnavailable` if it cannot be installed.
    """
    have_programs("MariaDB", PROGRAMS, PACKAGES, log_path=directory / "apt-get.log")
    _install_drivers()
    data, socket = directory / "data", Path("/tmp") / f"mariadb-{os.getpid()}-{free_port()}.sock"  # noqa: S108 - short names only
    run_installer("mariadb-install-db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal",  # noqa: E501
                  "--skip-test-db", f"--user={_user()}")  # fmt: skip
    server = MariadbServer(free_port())
    start = directory / "start.sql"
    start.write_text(
        f"CREATE USER '{server.user}'@'127.0.0.1' IDENTIFIED BY '{server.password}';\n"
        f"GRANT ALL ON *.* TO '{server.user}'@'127.0.0.1' WITH GRANT OPTION;\n"
    )
    start.chmod(0o644)
    process = ChildProcess(
        [
            "mariadbd",
            "--no-defaults",
            f"--datadir={data}",
            f"--socket={socket}",
            f"--port={server.port}",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            f"--init-file={start}",
            f"--user={_user()}",
            "--default-time-zone=-05:00",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=64M",
            "--performance-schema=OFF",
        ],
        log_path=directory / "mariadbd.log",
        ready=lambda: _answers(server),
        start_seconds=_START_SECONDS,
    )
    try:
        with process:
            yield server
    finally:
        socket.unlink(missing_ok=True)


def _user() -> str:
    """The server refuses to run as root unless it is named."""
    return "root" if os.geteuid() == 0 else str(os.geteuid())


def drivers_folder() -> str:
    """Return the folder with Airflow's provider and both drivers, which are built once, below `.state/`."""

    def install(folder: Path) -> None:
        run_installer(UV, "pip", "install", "--quiet", "--no-deps", "--python", sys.executable, "--target",
                      str(folder), "--requirement", str(_REQUIREMENTS))  # fmt: skip

    return str(make_once("mysql", "drivers", _REQUIREMENTS, install))


def _install_drivers() -> None:
    if (folder := drivers_folder()) not in sys.path:
        sys.path.append(folder)


def _answers(server: MariadbServer) -> bool:
    with suppress(Exception):
        server.connect("").close()
        return True
    return False
