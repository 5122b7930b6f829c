"""The programs of one file, as an auditor has them: a bare Python, an empty environment, no network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from tests.support.sealed_archive import SealedArchive, allowed_signers, five_hours, key_pair, ssh_signature

import job_history_verify
from job_history_verify.layout import SEALS
from job_history_verify.pack import pack
from simulators.project import ROOT

PAGE = ROOT / "docs" / "proof.md"
NO_NETWORK = ["unshare", "-rn"]


def has_no_network() -> bool:
    try:
        return subprocess.run([*NO_NETWORK, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    pack(folder, "job-history-verify")
    pack(folder, "job-history-watch")
    return folder


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment without any package."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder / "bin" / "python3"


@pytest.fixture
def archive(tmp_path: Path) -> SealedArchive:
    (tmp_path / "allowed_signers").write_text(allowed_signers(key_pair()))
    return five_hours(tmp_path / "copy")


def run(
    command: list[str | Path], *, cwd: Path | None = None, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    isolated = NO_NETWORK if has_no_network() else []
    return subprocess.run(
        [*isolated, "env", "-i", "PATH=/usr/bin:/bin", *map(str, command)],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        check=False,
    )


@pytest.mark.promise("proof-verifies")
@pytest.mark.parametrize("tool", ["ssh-keygen", "openssl"])
def test_program_verifies_without_network_environment_and_packages(
    programs: Path, bare_python: Path, archive: SealedArchive, tool: str
) -> None:
    if not shutil.which(tool):
        pytest.skip(f"this machine has no {tool}")
    command = [bare_python, programs / "job-history-verify.pyz", archive.folder]
    command += ["--keys", archive.folder.parent / "allowed_signers", "--signature-tool", tool]
    done = run([*command, "--json"])
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["exit_code"], answer["documents"]) == (0, 0, {"proven": 8})
    assert answer["chains"][0]["sha256"] == archive.previous
    archive.signature_path(2).write_text(ssh_signature(key_pair(), b"other"))
    changed = run(command)
    assert changed.returncode == 1
    assert b"the last at 2018-05-21T06:00:00Z, of s3://acme-audit\n" in changed.stdout
    assert b"bad signature   5234/jobs seal 2:" in changed.stdout


@pytest.mark.parametrize("version", ["3.9", "3.13"])
def test_program_runs_on_other_python_versions(programs: Path, archive: SealedArchive, version: str) -> None:
    found = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    python = shutil.which(f"python{version}") if not found else str(found[0])
    if python is None or subprocess.run([python, "--version"], capture_output=True, check=False).returncode:
        pytest.skip(f"this machine has no Python {version}")
    keys = archive.folder.parent / "allowed_signers"
    done = run([python, programs / "job-history-verify.pyz", archive.folder, "--keys", keys])
    assert done.returncode == 0, done.stderr


@pytest.mark.promise("proof-strangers")
def test_strangers_tools_verify_sums_and_signatures(programs: Path, bare_python: Path, archive: SealedArchive) -> None:
    """`sha256sum` and `ssh-keygen`, as docs/proof.md names them."""
    sums = run([bare_python, programs / "job-history-verify.pyz", ".", "--print-sums"], cwd=archive.folder)
    assert (sums.returncode, len(sums.stdout.splitlines())) == (0, 8)
    checked = run(["sha256sum", "-c", "--quiet"], cwd=archive.folder, stdin=sums.stdout)
    assert (checked.returncode, checked.stdout) == (0, b"")
    unpacked = run(["gzip", "-dc", *archive.seals.glob("sums/*.gz")])
    assert run(["sha256sum", "-c", "--quiet"], cwd=archive.folder, stdin=unpacked.stdout).returncode == 0
    next(archive.folder.glob("5234/jobs/**/5234-234-12-*.json")).write_text("{}")
    assert run(["sha256sum", "-c", "--quiet"], cwd=archive.folder, stdin=sums.stdout).returncode == 1


@pytest.mark.promise("proof-strangers")
@pytest.mark.parametrize("number", [2, 3, 4])
def test_commands_of_the_page_verify_a_copy(
    programs: Path, bare_python: Path, archive: SealedArchive, tmp_path: Path, number: int
) -> None:
    """Word by word, but for the download and Python; the fifth goes on from the fourth."""
    commands = PAGE.read_text().split("\n## Check a copy")[1].split("\n```\n")[1].splitlines()
    shutil.copy(programs / "job-history-verify.pyz", tmp_path)
    command = "\n".join(commands[number - 1 :][: 2 if number == 4 else 1]).replace("python3", str(bare_python))
    script = ["bash", "-e", "-o", "pipefail", "-c", command]
    done = run(script, cwd=archive.folder)
    assert done.returncode == 0, done.stderr
    assert len(commands) == 5
    archive.signature_path(1).write_text(ssh_signature(key_pair(2), archive.seal_path(1).read_bytes()))
    next(archive.folder.glob("5234/jobs/**/5234-234-12-*.json")).write_text("{}")
    assert run(script, cwd=archive.folder).returncode != 0


def test_policy_of_the_page_covers_the_folder_of_the_seals() -> None:
    policy = json.loads(PAGE.read_text().split("```json\n")[1].split("```")[0])
    assert {each["Effect"] for each in policy["Statement"]} == {"Deny"}
    assert {each["Resource"].partition("acme-audit/")[2] for each in policy["Statement"]} == {f"{SEALS}/*"}


@pytest.mark.promise("proof-strangers")
def test_ssh_keygen_verifies_a_seal_at_its_time(archive: SealedArchive) -> None:
    keys = archive.folder.parent / "allowed_signers"
    keys.write_text(allowed_signers(key_pair(), 'valid-before="20180601000000Z"'))
    sealed_at = json.loads(archive.seal_path(2).read_bytes())["sealed_at"]
    time = "".join(letter for letter in sealed_at if letter not in "T:-")
    command = ["ssh-keygen", "-Y", "verify", "-f", keys, "-I", "job-history", "-n", "job-history.seal.v1"]
    command += ["-s", archive.signature_path(2), f"-Overify-time={time}"]
    content = archive.seal_path(2).read_bytes()
    assert run(command, stdin=content).returncode == 0
    assert run(command, stdin=content + b" ").returncode != 0
    assert run(command[:-1], stdin=content).returncode != 0


def test_seal_that_ssh_keygen_signed_is_proven(programs: Path, bare_python: Path, tmp_path: Path) -> None:
    """The other way round: a key and signatures of OpenSSH, judged here."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    fingerprint = subprocess.run(
        ["ssh-keygen", "-l", "-f", tmp_path / "key.pub"], capture_output=True, check=True, text=True
    ).stdout.split()[1]
    archive = SealedArchive(tmp_path / "copy", key=None)
    archive.seal_hour(0, {}, key=fingerprint)
    path = archive.seal_path(1)
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", tmp_path / "key", "-n", "job-history.seal.v1", path]
    subprocess.run(command, check=True)
    path.with_suffix(".json.sig").rename(archive.seals / f"{1:012d}-{(archive.previous or '')[:16]}.sig")
    keys = tmp_path / "allowed_signers"
    keys.write_text(f"job-history {(tmp_path / 'key.pub').read_text()}")
    assert run([bare_python, programs / "job-history-verify.pyz", archive.folder, "--keys", keys]).returncode == 0


def test_usage_errors_and_missing_tools_could_not_check(
    programs: Path, bare_python: Path, archive: SealedArchive
) -> None:
    program, keys = programs / "job-history-verify.pyz", archive.folder.parent / "allowed_signers"
    assert run([bare_python, program, archive.folder]).returncode == 2
    assert run([bare_python, program, archive.folder, "--keys", "/nowhere"]).returncode == 2
    assert run([bare_python, program, archive.folder, "--keys", keys, "--expect-head", "x"]).returncode == 2
    no_tools = ["env", "PATH=/nowhere", bare_python, program, archive.folder, "--keys", keys]
    done = run(no_tools)
    assert (done.returncode, b"could not check" in done.stdout) == (2, True)


def test_program_has_the_same_bytes_when_built_again(programs: Path, tmp_path: Path) -> None:
    assert pack(tmp_path).read_bytes() == (programs / "job-history-verify.pyz").read_bytes()
    with zipfile.ZipFile(programs / "job-history-verify.pyz") as archive:
        assert all(name == "__main__.py" or name.startswith("job_history_verify/") for name in archive.namelist())


def test_wheel_has_the_package_alone_and_no_dependencies(tmp_path: Path) -> None:
    """In a process of its own: hatchling changes into the project's folder."""
    build = (
        "import sys; from hatchling.builders.wheel import WheelBuilder; "
        "print(*WheelBuilder(sys.argv[1]).build(directory=sys.argv[2]))"
    )
    project = Path(job_history_verify.__file__).parent
    subprocess.run([sys.executable, "-c", build, project, tmp_path], check=True, capture_output=True, cwd=project)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        names = wheel.namelist()
        metadata = wheel.read(next(name for name in names if name.endswith("/METADATA"))).decode()
        scripts = wheel.read(next(name for name in names if name.endswith("/entry_points.txt"))).decode()
    assert {name for name in names if "dist-info" not in name} == {
        f"job_history_verify/{path.name}" for path in project.glob("*.py")
    }
    assert "Requires-Dist" not in metadata
    assert {"job-history-verify", "job-history-watch"} <= set(scripts.split())
