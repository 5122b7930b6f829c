"""Starts Airflow for a command: quickly, without what only tasks and servers need, or fully, for commands with hooks.

`import airflow` prepares logging, plugins and a database session, in three seconds. A command that reads receipts
needs the config and at most one Variable, in half of that.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_AS_LIBRARY = "_AIRFLOW__AS_LIBRARY"
_LEVEL, _LEVELS = "AIRFLOW__LOGGING__LOGGING_LEVEL", "AIRFLOW__LOGGING__NAMESPACE_LEVELS"
# Not `airflow` itself, whose level Airflow sets to that of all.
_OF_AIRFLOW = {
    **dict.fromkeys(("airflow.models", "airflow.providers", "airflow.sdk", "airflow._shared"), "ERROR"),
    **dict.fromkeys(("task", "py.warnings"), "CRITICAL"),
}
# Of the youngest generation: with Python's own 700, a fifth of a start goes to collections that find nothing.
_OBJECTS_BEFORE_A_COLLECTION = 50_000
_quick: bool = False


@contextmanager
def rare_collections() -> Iterator[None]:
    """Until the block ends, have Python look for garbage less often: the imports of a command leave none."""
    usual = gc.get_threshold()
    gc.set_threshold(_OBJECTS_BEFORE_A_COLLECTION, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def log_what_matters_alone() -> None:
    """Have Airflow log our warnings, and only errors of its own, unless the environment sets a level.

    What it logs of a Variable or connection that cannot be read, with a traceback, is in the message of the command.
    """
    if _LEVEL not in os.environ:
        os.environ[_LEVEL] = "WARNING"
        os.environ.setdefault(_LEVELS, " ".join(f"{name}={level}" for name, level in _OF_AIRFLOW.items()))
        # These loggers of Python itself have no such level, and lose theirs when Airflow configures logging.
        for package in ("airflow.sdk._shared", "airflow._shared"):
            logging.getLogger(f"{package}.secrets_masker.secrets_masker").addFilter(_is_error)
        # A connection whose extra is no JSON object: a traceback.
        logging.getLogger("airflow.sdk.definitions.connection").addFilter(_is_critical)


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def _is_critical(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.CRITICAL


def start_airflow(*, quickly: bool) -> None:
    """Import Airflow. Variables and connections are then looked up as Airflow's own commands look them up.

    That is: in the secrets backend, in the environment, then in Airflow's database. The Task SDK skips the database
    unless the process is marked as a server: a task asks the API server instead, which a command has no token for.
    """
    global _quick  # noqa: PLW0603 - Airflow's own state is the process's too
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    if quickly and "airflow" not in sys.modules and _AS_LIBRARY not in os.environ:
        os.environ[_AS_LIBRARY] = "1"
        try:
            import airflow  # noqa: F401

            _quick = True
        finally:
            del os.environ[_AS_LIBRARY]
    if not quickly:
        finish_start()


def finish_start() -> None:
    """Do what a quick start left out, before hooks and providers are used."""
    global _quick  # noqa: PLW0603
    if _quick:
        from airflow import settings

        settings.initialize()  # type: ignore[no-untyped-call]
        _quick = False


def read_variable(name: str) -> str | None:
    """Return a Variable's text as Airflow finds it, or None if no backend has it or one cannot be read.

    After a quick start, Airflow's database is asked without the object mapper: loading all its models takes a second.
    """
    from airflow.configuration import ensure_secrets_loaded

    for backend in ensure_secrets_loaded():
        try:
            in_database = _quick and type(backend).__name__ == "MetastoreBackend"
            text = _from_database(name) if in_database else backend.get_variable(name)
        except Exception:  # noqa: BLE001, S112 - Airflow asks the next one; the caller asks again to report the reason
            continue
        if text is not None:
            return text
    return None


def prepare_database() -> None:
    """Let sessions with Airflow's database be opened, also after a quick start."""
    from airflow import settings

    if settings.engine is None:
        settings.configure_vars()  # type: ignore[no-untyped-call]
        settings.configure_adapters()  # type: ignore[no-untyped-call]
        settings.configure_orm()  # type: ignore[no-untyped-call]


def _from_database(name: str) -> str | None:
    prepare_database()
    from airflow import settings
    from airflow.models.crypto import get_fernet
    from airflow.models.variable import Variable
    from sqlalchemy import select

    table: Any = Variable.__table__
    # Of no team, as for a caller without one.
    query = select(table.c.val, table.c.is_encrypted).where(table.c.key == name, table.c.team_name.is_(None))
    with settings.get_engine().connect() as connection:  # type: ignore[no-untyped-call]
        row = connection.execute(query).one_or_none()
    if row is None or row.val is None:
        return None
    return get_fernet().decrypt(row.val.encode()).decode() if row.is_encrypted else row.val
