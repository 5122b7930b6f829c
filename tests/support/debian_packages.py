"""Programs from Debian's packages, for tests that need servers and clients of others; installed if that is possible."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_INSTALL_SECONDS = 300


class PackagesUnavailable(RuntimeError):  # noqa: N818 (no error of the tests: the reason why they are skipped)
    """The programs cannot be had on this machine. The message gives the reason, and what to install."""


def have_programs(name: str, programs: Sequence[str], packages: Sequence[str], *, log_path: Path) -> None:
    """Install the packages unless the programs are there; the output of `apt-get` goes to the log.

    Raises `PackagesUnavailable`, which calls the programs `name`.
    """
    missing = [program for program in programs if shutil.which(program) is None]
    if not missing:
        return
    wanted = f"{name} is not installed ({', '.join(missing)} missing)"
    advice = f"On Debian 12, as root: apt-get install --no-install-recommends {' '.join(packages)}"
    if sys.platform != "linux":
        raise PackagesUnavailable(f"{wanted}, and it runs on Linux only.")
    if shutil.which("apt-get") is None:
        raise PackagesUnavailable(f"{wanted}, and there is no apt-get here to install it with. {advice}")
    if os.geteuid() != 0:
        raise PackagesUnavailable(f"{wanted}, and only root can install it. {advice}")
    install = ["apt-get", "install", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120", *packages]
    with log_path.open("ab") as log:
        for step in (["apt-get", "update"], install):
            try:
                subprocess.run(
                    step,
                    check=True,
                    timeout=_INSTALL_SECONDS,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    # A run level at which packages start no services.
                    env={**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"},
                )
            except subprocess.SubprocessError as error:
                raise PackagesUnavailable(
                    f"{wanted}, and `{step[0]} {step[1]}` failed: see {log_path}. {advice}"
                ) from error
