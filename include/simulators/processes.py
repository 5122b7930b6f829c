"""Child processes that are ready when you get them, and end with you: none is ever left."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_POLL_SECONDS = 0.05
_TAIL_LINES = 30

# A context manager is not run when its own process is killed. This shell holds the other end of a pipe: when we are
# gone, by whatever signal, it reads end-of-file and ends the child's process group in our place.
_GUARD = """
while read -r _; do :; done
kill -"$1" -"$2" 2>/dev/null || exit 0
left="$3"
while [ "$left" -gt 0 ] && kill -0 -"$2" 2>/dev/null; do sleep 0.1; left=$((left - 1)); done
kill -KILL -"$2" 2>/dev/null
exit 0
"""


class ProcessFailedError(RuntimeError):
    """A child process ended, or did not become ready, before it could be used."""


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens_on(port: int) -> bool:
    """Whether something accepts TCP connections on 127.0.0.1:port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class ChildProcess:
    """A child process in a session of its own, to be used in a `with` statement.

    `ready` is a TCP port of 127.0.0.1 to wait for, or a callable that returns whether the process can be used.
    Everything the process prints goes to `log_path`. `environment` replaces ours where given; `user` is the system
    user to run as (root only). Leaving the `with` block sends `stop_signal` to the process group and, after
    `grace_seconds`, SIGKILL. Should this Python process die first, even by SIGKILL, a guard does the same.

    Raises `ProcessFailedError` with the tail of the log if the process ends, or is not ready in `start_seconds`.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        log_path: Path,
        ready: int | Callable[[], bool],
        environment: Mapping[str, str] | None = None,
        working_directory: Path | None = None,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        grace_seconds: int = 10,
        start_seconds: float = 60,
    ) -> None:
        self.command = list(command)
        self.log_path = log_path
        self.ready = ready
        self.environment = environment
        self.working_directory = working_directory
        self.user = user
        self.stop_signal = stop_signal
        self.grace_seconds = grace_seconds
        self.start_seconds = start_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The id of the process, which is also the id of its process group."""
        if self._process is None:
            raise ProcessFailedError(f"{self.command[0]} has not been started; use it in a `with` statement.")
        return self._process.pid

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def log_tail(self) -> str:
        """The last lines of the log."""
        lines = self.log_path.read_text(errors="replace").splitlines() if self.log_path.exists() else []
        return "\n".join(lines[-_TAIL_LINES:])

    def start(self) -> None:
        """Start the process and wait until it is ready."""
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=self.working_directory,
                user=self.user,
                group=self.user,
                extra_groups=None if self.user is None else [],
                start_new_session=True,
            )
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "guard", self.stop_signal.name[3:], str(self.pid), str(self.grace_seconds * 10)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the whole process group. Does nothing when it has ended already."""
        if self._process is None:
            return
        deadline = time.monotonic() + self.grace_seconds
        self._signal_group(self.stop_signal)
        while self._group_is_alive() and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        self._signal_group(signal.SIGKILL)
        self._process.wait()
        self._dismiss_guard()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_until_ready(self) -> None:
        is_ready = self.ready if callable(self.ready) else lambda: listens_on(self.ready)  # type: ignore[arg-type]
        deadline = time.monotonic() + self.start_seconds
        while not is_ready():
            if not self.is_running():
                raise self._failure(f"ended with exit code {self._process.returncode if self._process else None}")
            if time.monotonic() > deadline:
                raise self._failure(f"was not ready after {self.start_seconds:g} s")
            time.sleep(_POLL_SECONDS)
        if not self.is_running():  # another process answered on our port
            raise self._failure("ended while it was waited for")

    def _failure(self, what: str) -> ProcessFailedError:
        return ProcessFailedError(
            f"{Path(self.command[0]).name} {what}. Its log, {self.log_path}, ends "
            f"with:\n{self.log_tail() or '(nothing)'}"
        )

    def _group_is_alive(self) -> bool:
        self.is_running()  # reaps our child, which would be counted as alive otherwise
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def _signal_group(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return

    def _dismiss_guard(self) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.kill()  # before its pipe is closed, so that it does nothing any more
            self._guard.wait()
            self._guard.stdin.close()
