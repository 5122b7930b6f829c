"""An allowed_signers file means here what it means for ssh-keygen."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.support.sealed_archive import allowed_signers, five_hours, key_pair, public_text

from job_history_verify.cli import main

KEY = public_text(key_pair())


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="this machine has no ssh-keygen")
@pytest.mark.parametrize(
    "line",
    [
        f"job-history {KEY}",
        f"job-history\t{KEY}",
        f'job-history\tnamespaces="file,job-history.seal.v1"\t{KEY}\ta comment',
        f"*  {KEY} comment",
        f'job-* namespaces="job-history.*" {KEY}',
        f'"job-history" {KEY}',
        f"auditor,job-history {KEY}",
        f"!job-history,* {KEY}",
        f"JOB-HISTORY {KEY}",
        f"[j]ob-history {KEY}",
        f'job-history valid-before="20180521060000Z" {KEY}',
        f'job-history valid-before="20180521015959Z" {KEY}',
        f'job-history valid-after="20180521020000Z",valid-before="20300101Z" {KEY}',
        f'job-history valid-after="20300101Z" {KEY}',
        f'job-history NAMESPACES="job-history.seal.v1" {KEY}',
        f'job-history namespaces="git" {KEY}',
        f'job-history namespaces="" {KEY}',
        f"job-history valid-before=20300101 {KEY}",
        f"job-history valid-before {KEY}",
        f'job-history valid-before="soon" {KEY}',
        f"job-history cert-authority {KEY}",
        f"job-history restrict {KEY}",
        f'job-history namespaces="job-history.seal.v1"valid-after="20180101Z" {KEY}',
        f'job-history valid-before="20170101Z",valid-before="20300101Z" {KEY}',
        f'job-history namespaces="git",namespaces="job-history.seal.v1" {KEY}',
        f'job-history namespaces="job-history.seal.v1", {KEY}',
        f'job-history valid-after="20300101Z",valid-before="20200101Z" {KEY}',
        f'job-history valid-after="00010101" {KEY}',
        f'job-history valid-after="19600101Z" {KEY}',
        f'job-history valid-after="201801010000UTC" {KEY}',
        f'job-history valid-before="99991231235959" {KEY}',
        f'"the auditors,job-history" {KEY}',
        f"# \u2028job-history {KEY}",
        f"# \x0bjob-history {KEY}",
        f"# \x85job-history {KEY}",
        f"\N{NO-BREAK SPACE}job-history {KEY}",
    ],
)
def test_line_is_accepted_if_ssh_keygen_accepts_it(tmp_path: Path, line: str) -> None:
    archive = five_hours(tmp_path / "copy")
    keys = tmp_path / "allowed_signers"
    keys.write_text(f"# of the auditors\n\n{line}\n")
    command = ["ssh-keygen", "-Y", "verify", "-f", keys, "-I", "job-history", "-n", "job-history.seal.v1"]
    seal = archive.seal_path(1).read_bytes()
    accepted = subprocess.run(
        [*command, "-s", archive.signature_path(1), "-Overify-time=20180521020000Z"],
        input=seal,
        capture_output=True,
        check=False,
    )
    assert (main([str(archive.folder), "--keys", str(keys)]) == 0) == (accepted.returncode == 0)


def test_file_without_a_key_for_seals_could_not_check(tmp_path: Path) -> None:
    archive = five_hours(tmp_path / "copy")
    keys = tmp_path / "allowed_signers"
    keys.write_text(allowed_signers(key_pair()).replace("job-history ", "someone-else "))
    assert main([str(archive.folder), "--keys", str(keys)]) == 2
