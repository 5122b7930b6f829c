"""The demo's seals: a key of its own, the verifier beside the copied buckets, and what it finds of a flipped byte."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from job_history.seals.signer import key_signer
from job_history_verify.allowed_signers import allowed_signers_line
from job_history_verify.pack import pack

CONNECTION = "demo_seals"


def signing_connection(folder: Path) -> str:
    """Make a key, write its public part into `folder/allowed_signers`, and return the connection with the key."""
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "allowed_signers").write_text(allowed_signers_line(key_signer(key).public_key) + "\n")
    return json.dumps({"conn_type": "generic", "password": key})


def verified(folder: Path) -> list[tuple[str, int, str]]:
    """Verify each copied archive as a stranger does: bucket and prefix, exit code, and what was found."""
    pack(folder)
    archives = sorted(path.parent.parent for path in folder.glob("**/_control/seals"))
    return [(str(archive.relative_to(folder)), *_verify(folder, archive)) for archive in archives]


def verified_with_a_flipped_byte(folder: Path, bucket: str, key: str) -> tuple[int, str]:
    """Copy a bucket, flip one bit of a document in the copy, and verify that: exit code, and what was found."""
    copy = folder / "flipped"
    shutil.copytree(folder / bucket, copy)
    content = bytearray((copy / key).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / key).write_bytes(content)
    code, found = _verify(folder, copy)
    shutil.rmtree(copy)
    return code, found


def _verify(folder: Path, copy: Path) -> tuple[int, str]:
    """Run the program in an empty environment, with nothing of ours on its path."""
    done = subprocess.run(
        [sys.executable, "-I", folder / "job-history-verify.pyz", copy, "--keys", folder / "allowed_signers"],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if re.match(r"Documents:|Hours:|modified ", line)]
    return done.returncode, "\n".join(lines) or done.stderr
