"""A real S3 store as an independent judge: Ceph's gateway (RGW) on one monitor and one OSD that keeps all in memory.

A simulated endpoint accepts what S3 refuses, a wrong signature or a wrong checksum. Ceph does not, and it is none of
our making. It needs neither systemd nor containers, only Debian's packages, and everything listens on 127.0.0.1.
"""

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.debian_packages import have_programs

from simulators.processes import ChildProcess, free_port
from simulators.s3_endpoint import DEFAULT_REGION, S3Endpoint

PACKAGES = ("ceph-mon", "ceph-osd", "radosgw", "ceph-common")
PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")

_COMMAND_SECONDS = 60
_START_SECONDS = 60

# What is not the usual, and why:
# - mon host: with the older v1 protocol one command in fifty is refused ("wrong fsid"): it is sent before the answer
#   that identifies the cluster.
# - auth: only this machine can connect, and each keyring would cost a command.
# - ms mon client mode: without authentication, radosgw waits for ever for a "secure" connection to the monitor.
# - paxos: the monitor gathers changes for a second before it writes, and radosgw creates its pools one by one.
# - pg autoscale: is the work of a manager daemon, and there is none.
# - mon data avail crit: the monitor ends itself when the disk is 95% full, as developers' disks are.
# - admin socket: in a deep directory its path is longer than the 107 bytes a socket's name may have.
# - rgw thread pool size: would be 512 threads.
# - debug rocksdb: prints some 600 lines of settings, and the end of the log is what a failure shows.
_CONFIGURATION = """\
[global]
fsid = {cluster_id}
mon host = v2:127.0.0.1:{monitor_port}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
run dir = {home}
crash dir = {home}
log file =
log to stderr = true
err to stderr = true
admin socket =
debug rocksdb = 0
pid file =

[mon]
mon data = {home}/monitor
mon cluster log file = {home}/cluster.log
mon allow pool size one = true
mon data avail crit = 0
paxos propose interval = 0.05
paxos min wait = 0.01

[osd]
osd data = {home}/osd
osd objectstore = memstore
osd crush chooseleaf type = 0
memstore device bytes = 536870912

[client]
rgw data = {home}/gateway
rgw frontends = beast endpoint=127.0.0.1:{gateway_port}
rgw enable apis = s3
rgw thread pool size = 64
"""


class CephGateway(S3Endpoint):
    """A running gateway, used like the simulated endpoint, except that it accepts no keys but its own."""

    def create_bucket(self, name: str, *, versioned: bool = False, region: str = DEFAULT_REGION) -> None:
        """Create a bucket, without versions by default: where it keeps versions, Ceph 16 ignores `If-None-Match`."""
        super().create_bucket(name, versioned=versioned, region=region)


@contextmanager
def ceph_rgw(directory: Path) -> Iterator[CephGateway]:
    """Run a gateway as long as the `with` block lasts; nothing of it is kept, on disk or in memory.

    Everything it writes is in a subdirectory of `directory`, which exists and is left empty, but for the log of an
    installation. Takes some 2 s and 200 MB of memory, and 20 s more where Debian's packages (60 MB) come first.

    Raises `PackagesUnavailable` if they cannot be had, and `simulators.processes.ProcessFailedError` or
    `subprocess.SubprocessError` if Ceph is there and does not start.
    """
    have_programs("Ceph", PROGRAMS, PACKAGES, log_path=directory / "apt-get.log")
    with TemporaryDirectory(dir=directory, prefix="ceph-") as home, ExitStack() as running:
        yield _start(Path(home), running)


def _start(home: Path, running: ExitStack) -> CephGateway:
    cluster_id = str(uuid.uuid4())
    monitor_port, gateway_port = free_port(), free_port()
    configuration = home / "ceph.conf"
    configuration.write_text(
        _CONFIGURATION.format(cluster_id=cluster_id, monitor_port=monitor_port, gateway_port=gateway_port, home=home)
    )

    def command(program: str, *arguments: str) -> list[str]:
        return [program, f"--conf={configuration}", *arguments]

    def daemon(program: str, *arguments: str, ready: Any) -> None:
        running.enter_context(
            ChildProcess(
                command(program, "--foreground", *arguments),
                log_path=home / f"{program}.log",
                ready=ready,
                environment=_environment(),
                start_seconds=_START_SECONDS,
            )
        )

    def osd_is_up() -> bool:
        return json.loads(_run(command("ceph", "osd", "stat", "--format=json")))["num_up_osds"] == 1

    monitors = str(home / "monitors")
    _run(["monmaptool", "--create", "--fsid", cluster_id, "--addv", "a", f"[v2:127.0.0.1:{monitor_port}]", monitors])
    _run(command("ceph-mon", "--id=a", "--mkfs", f"--monmap={monitors}"))
    daemon("ceph-mon", "--id=a", ready=monitor_port)

    (home / "osd").mkdir()
    osd_id = str(uuid.uuid4())
    _run(command("ceph", "osd", "new", osd_id))
    _run(command("ceph-osd", "--id=0", "--mkfs", f"--osd-uuid={osd_id}"))
    daemon("ceph-osd", "--id=0", ready=osd_is_up)

    daemon("radosgw", "--name=client.gateway", ready=gateway_port)
    user = json.loads(_run(command("radosgw-admin", "user", "create", "--uid=judge", "--display-name=judge")))
    keys = user["keys"][0]
    return CephGateway(f"http://127.0.0.1:{gateway_port}", keys["access_key"], keys["secret_key"])


def _run(command: list[str]) -> str:
    done = subprocess.run(
        command,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_COMMAND_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise subprocess.SubprocessError(
            f"`{' '.join(command)}` ended with exit code {done.returncode}:\n{done.stderr[-2000:]}"
        )
    return done.stdout


def _environment() -> dict[str, str]:
    """Ours without CEPH_ARGS and the like, which may point to a real cluster, and without a virtualenv's."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("CEPH", "PYTHON", "RADOS"))}
