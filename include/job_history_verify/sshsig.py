"""Signatures in OpenSSH's own form (PROTOCOL.sshsig), of Ed25519 keys: `ssh-keygen -Y verify` accepts them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from typing import NamedTuple

NAMESPACE = "job-history.seal.v1"
IDENTITY = "job-history"
KEY_TYPE = b"ssh-ed25519"
_MAGIC = b"SSHSIG"
_VERSION = 1
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"
_LINE_LENGTH = 70
_HASHES = {b"sha512": hashlib.sha512, b"sha256": hashlib.sha256}


class SshSignature(NamedTuple):
    """`public_key` has 32 bytes, `signature` 64; `armored` is the file's text with line ends that ssh-keygen reads."""

    public_key: bytes
    namespace: str
    hash_name: bytes
    signature: bytes
    armored: str

    def signed_data(self, message: bytes) -> bytes:
        """Return the bytes that the key has signed, for a message."""
        return signed_data(message, self.namespace, self.hash_name)


def signed_data(message: bytes, namespace: str = NAMESPACE, hash_name: bytes = b"sha512") -> bytes:
    digest = _HASHES[hash_name](message).digest()
    return _MAGIC + b"".join(map(_string, (namespace.encode(), b"", hash_name, digest)))


def armored_signature(public_key: bytes, signature: bytes) -> str:
    """Return the text of a signature file for an Ed25519 signature of `signed_data(message)`."""
    fields = (
        key_blob(public_key),
        NAMESPACE.encode(),
        b"",
        b"sha512",
        _string(KEY_TYPE) + _string(signature),
    )
    blob = _MAGIC + struct.pack(">I", _VERSION) + b"".join(map(_string, fields))
    text = base64.b64encode(blob).decode()
    lines = [text[start : start + _LINE_LENGTH] for start in range(0, len(text), _LINE_LENGTH)]
    return "\n".join([_BEGIN, *lines, _END, ""])


def parse_signature(text: str) -> SshSignature:
    """Read a signature file. Raises ValueError if it is not a signature of an Ed25519 key."""
    lines = [line.rstrip() for line in text.strip().split("\n")]
    if len(lines) < 3 or lines[0] != _BEGIN or lines[-1] != _END:
        raise ValueError("this is not an SSH signature")
    try:
        blob = base64.b64decode("".join(lines[1:-1]), validate=True)
    except binascii.Error as error:
        raise ValueError(f"this is not an SSH signature: {error}") from error
    if blob[:6] != _MAGIC or blob[6:10] != struct.pack(">I", _VERSION):
        raise ValueError("this is not an SSH signature of version 1")
    key, namespace, _, hash_name, signature = _strings(blob[10:], 5)
    key_type, public_key = _strings(key, 2)
    signature_type, raw = _strings(signature, 2)
    if key_type != KEY_TYPE or signature_type != KEY_TYPE or len(public_key) != 32 or len(raw) != 64:
        raise ValueError("the signature is not one of an Ed25519 key")
    if hash_name not in _HASHES:
        raise ValueError("the signature uses an unknown hash")
    return SshSignature(public_key, namespace.decode("utf-8", "replace"), hash_name, raw, "\n".join([*lines, ""]))


def key_blob(public_key: bytes) -> bytes:
    return _string(KEY_TYPE) + _string(public_key)


def public_key_of(blob: bytes) -> bytes:
    """Return the 32 bytes of an Ed25519 key. Raises ValueError for a key of another type."""
    key_type, public_key = _strings(blob, 2)
    if key_type != KEY_TYPE or len(public_key) != 32:
        raise ValueError("this is not an Ed25519 key")
    return public_key


def fingerprint(public_key: bytes) -> str:
    """Return the fingerprint as `ssh-keygen -l` prints it: `SHA256:9DY4...`."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key_blob(public_key)).digest()).decode().rstrip("=")


def _string(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content


def _strings(blob: bytes, number: int) -> list[bytes]:
    strings, position = [], 0
    for _ in range(number):
        end = position + 4
        length = int.from_bytes(blob[position:end], "big")
        if end > len(blob) or end + length > len(blob):
            raise ValueError("a field of the key or signature is cut off")
        strings.append(blob[end : end + length])
        position = end + length
    if position != len(blob):
        raise ValueError("the key or signature has bytes after its end")
    return strings
