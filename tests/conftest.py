"""One Airflow home for the test run, set before Airflow is imported; the marks of judges."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import Any

import botocore.loaders
import pytest
from hypothesis import settings
from tests.support.debian_packages import PackagesUnavailable

from simulators.project import DAGS, PLUGINS, STATE

pytest_plugins = ["tests.support.golden_messages"]

# Where Python may not keep bytecode, as in many containers, each process compiles Airflow again, half of its start.
if sys.dont_write_bytecode:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(STATE / "bytecode")

# No deadline, because machines may be busy. The same examples each time, so that a failure is due to the change under
# test. To look for new ones, run with HYPOTHESIS_PROFILE=explore, and add what it finds as @example.
settings.register_profile("always_the_same", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "always_the_same"))

# A test with one of these marks takes minutes, or needs a server or client that is not ours: it is a judge, for
# `make judges`.
JUDGES = ("azure", "browser", "celery", "ceph", "clients", "deploy", "many", "mariadb", "pgbouncer", "wheel")

ONE_AIRFLOW = "e2e"

_home = pytest.StashKey[Path]()
_of_botocore: dict[Any, Any] = {}


class _Loader(botocore.loaders.Loader):
    """Botocore's own, but all sessions of a process share what it has read and parsed: 0.2 s of CPU for each."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._cache = _of_botocore


botocore.loaders.Loader = _Loader


@pytest.hookimpl(tryfirst=True)  # before pytest decides where `tmp_path` is
def pytest_configure(config: pytest.Config) -> None:
    # A shell that starts pytest in the background makes it ignore SIGINT, and the tests' child processes would inherit
    # that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    home = Path(tempfile.mkdtemp(prefix="job-history-tests-"))
    config.stash[_home] = home
    # Below /tmp/pytest-of-<user>, each pytest that starts makes the folders of those that run unreadable for other
    # users, such as the one that PostgreSQL runs as.
    config.option.basetemp = config.option.basetemp or str(home / "tmp")
    for name in [name for name in os.environ if name.startswith("AIRFLOW")]:
        del os.environ[name]
    os.environ.update(
        AIRFLOW_HOME=str(home),
        AIRFLOW__CORE__DAGS_FOLDER=str(DAGS),
        AIRFLOW__CORE__PLUGINS_FOLDER=str(PLUGINS),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        # Requests to servers of this machine must not go through a proxy.
        NO_PROXY="127.0.0.1,localhost",
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    if session.testsfailed:
        print(f"\nThe files of the failed tests are in {session.config.stash[_home]}.")
        del session.config.stash[_home]


def pytest_unconfigure(config: pytest.Config) -> None:
    if home := config.stash.get(_home, None):
        shutil.rmtree(home, ignore_errors=True)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    is_too_long_for_a_log = isinstance(val, str | bytes) and len(val) > 1_000
    return f"{argname}-{zlib.crc32(repr(val).encode()):08x}" if is_too_long_for_a_log else None


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    for item in items:
        if any(item.get_closest_marker(name) for name in JUDGES):
            item.add_marker("judge")
        # With `-n` and `--dist loadgroup`, a group's tests run in one process: a file's, and all that share the one
        # Airflow. Several groups of one test would be joined to a further one.
        if not item.get_closest_marker("xdist_group"):
            group = ONE_AIRFLOW if item.get_closest_marker("e2e") else item.nodeid.partition("::")[0]
            item.add_marker(pytest.mark.xdist_group(group))
    if config.getoption("loadgroup", False):
        items.sort(key=turn_of)


def turn_of(item: pytest.Item) -> int:
    """Of several processes, one begins with the group that takes longest, the others with the fast tests."""
    group = str(next(item.iter_markers("xdist_group")).args[0])
    return 0 if group == ONE_AIRFLOW else 1 if group.startswith("tests/unit/") else 2


def pytest_collection_finish(session: pytest.Session) -> None:
    # pytest-xdist passes on a group as the end of a test's id. If it cannot, it says nothing, and tests that share one
    # folder run at the same time.
    if session.config.getoption("loadgroup", False) and not all("@" in item.nodeid for item in session.items):
        raise pytest.UsageError("This pytest-xdist does not group tests with this pytest: see requirements-dev.txt.")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None]:
    try:
        yield
    except PackagesUnavailable as reason:
        pytest.skip(str(reason))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    try:
        yield
    except PackagesUnavailable as reason:
        pytest.skip(str(reason))
