"""Checks Ed25519 signatures with what the machine has: `cryptography`, else `ssh-keygen`, else `openssl`."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from job_history_verify.sshsig import SshSignature, parse_signature

SignatureCheck = Callable[[SshSignature, bytes], bool]
"""Returns whether the signature is one of this message, by the key that the signature itself names."""

TOOLS = ("cryptography", "ssh-keygen", "openssl")
_OPENSSL_KEY_HEAD = bytes.fromhex("302a300506032b6570032100")
_TIMEOUT_SECONDS = 60
# A signature made by ssh-keygen 9.2, by which a tool shows that it can check any.
_KNOWN_MESSAGE = b"seal\n"
_KNOWN_SIGNATURE = """\
-----BEGIN SSH SIGNATURE-----
U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgBoYd4QXtNvPZNrPRv0g1LhR6WO
emPmWYlF5t5wnAvdUAAAATam9iLWhpc3Rvcnkuc2VhbC52MQAAAAAAAAAGc2hhNTEyAAAA
UwAAAAtzc2gtZWQyNTUxOQAAAEDCduL3fv5YrXQkXUVlR7WPHeDv7cCa4NLdKaaraN/mKo
SjsQlAMa/eWP4yD7O9wsvuVsxRz8BZRVRRe3LhDdYP
-----END SSH SIGNATURE-----
"""


class NoToolError(Exception):
    """The machine has nothing that can check Ed25519 signatures."""


@contextmanager
def signature_check(wanted: str | None = None) -> Iterator[tuple[SignatureCheck, int]]:
    """Yield a check, and how many of it may run at once. `wanted`: one of TOOLS; by default the first that works.

    Raises NoToolError.
    """
    with tempfile.TemporaryDirectory(prefix="job-history-verify-") as folder:
        for tool in [wanted] if wanted else TOOLS:
            check = _check_of(tool, Path(folder))
            if check is not None and _works(check):
                yield check, 1 if tool == "cryptography" else os.cpu_count() or 1
                return
        raise NoToolError(
            f"No signature can be checked: {wanted or ', '.join(TOOLS)} is not here or knows no Ed25519. Install "
            "OpenSSH 8.2 or later, OpenSSL 3, or the Python package cryptography."
        )


def _check_of(tool: str, folder: Path) -> SignatureCheck | None:
    if tool == "cryptography":
        return _by_cryptography()
    program = shutil.which(tool)
    if program is None:
        return None
    return _by_ssh_keygen(program, folder) if tool == "ssh-keygen" else _by_openssl(program, folder)


def _works(check: SignatureCheck) -> bool:
    signature = parse_signature(_KNOWN_SIGNATURE)
    return check(signature, _KNOWN_MESSAGE) and not check(signature, _KNOWN_MESSAGE + b" ")


def _by_cryptography() -> SignatureCheck | None:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError:
        return None

    def check(signature: SshSignature, message: bytes) -> bool:
        try:
            key = Ed25519PublicKey.from_public_bytes(signature.public_key)
            key.verify(signature.signature, signature.signed_data(message))
        except InvalidSignature:
            return False
        return True

    return check


def _by_ssh_keygen(program: str, folder: Path) -> SignatureCheck:
    def check(signature: SshSignature, message: bytes) -> bool:
        # check-novalidate: the key's validity is ours to judge, by the allowed_signers file.
        with _file(folder, signature.armored.encode()) as file:
            command = [program, "-Y", "check-novalidate", "-n", signature.namespace, "-s", file]
            return _succeeds(command, message)

    return check


def _by_openssl(program: str, folder: Path) -> SignatureCheck:
    def check(signature: SshSignature, message: bytes) -> bool:
        with (
            _file(folder, _OPENSSL_KEY_HEAD + signature.public_key) as key,
            _file(folder, signature.signature) as raw,
            _file(folder, signature.signed_data(message)) as data,
        ):
            command = [program, "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", key, "-rawin"]
            return _succeeds([*command, "-in", data, "-sigfile", raw], b"")

    return check


def _succeeds(command: list[str], standard_input: bytes) -> bool:
    done = subprocess.run(command, input=standard_input, capture_output=True, check=False, timeout=_TIMEOUT_SECONDS)
    return done.returncode == 0


@contextmanager
def _file(folder: Path, content: bytes) -> Iterator[str]:
    number, name = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
        yield name
    finally:
        Path(name).unlink()
