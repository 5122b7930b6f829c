"""Who signs seals: an Ed25519 key from a connection, or one that AWS KMS keeps. Signatures are in OpenSSH's form."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
    load_ssh_private_key,
)

from job_history.errors import PermanentError
from job_history_verify.sshsig import armored_signature, fingerprint, signed_data

KMS_ALGORITHM = "ED25519_SHA_512"
KMS_KEY_SPEC = "ECC_NIST_EDWARDS25519"


class Signer(Protocol):
    """Signs seals. `public_key`: 32 bytes. Methods raise PermanentError or TransientError."""

    @property
    def public_key(self) -> bytes: ...

    def sign(self, message: bytes) -> str:
        """Return the text of the signature's file."""
        ...


class KeySigner:
    """Signs with a private key that this process has."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = _raw(key.public_key())

    def sign(self, message: bytes) -> str:
        return armored_signature(self.public_key, self._key.sign(signed_data(message)))


class KmsClient(Protocol):
    """What a signer needs of boto3's client for KMS."""

    def sign(self, **request: Any) -> dict[str, Any]: ...

    def get_public_key(self, **request: Any) -> dict[str, Any]: ...


class KmsSigner:
    """Signs with a key that never leaves AWS KMS."""

    def __init__(self, client: KmsClient, key_id: str) -> None:
        """Ask for the public key. Raises PermanentError if the key cannot sign seals; the client's errors pass."""
        self._client = client
        self._key_id = key_id
        answer = client.get_public_key(KeyId=key_id)
        try:
            public_key = load_der_public_key(answer["PublicKey"])
        except (ValueError, UnsupportedAlgorithm) as error:
            raise PermanentError(_not_ed25519(answer)) from error
        if not isinstance(public_key, Ed25519PublicKey) or KMS_ALGORITHM not in answer.get("SigningAlgorithms", []):
            raise PermanentError(_not_ed25519(answer))
        self.public_key = _raw(public_key)

    def sign(self, message: bytes) -> str:
        # RAW: KMS hashes by itself, as Ed25519 wants. What is signed has about 100 bytes; KMS takes up to 4,096.
        answer = self._client.sign(
            KeyId=self._key_id,
            Message=signed_data(message),
            MessageType="RAW",
            SigningAlgorithm=KMS_ALGORITHM,
        )
        return armored_signature(self.public_key, bytes(answer["Signature"]))


class GuardedSigner:
    """Signs with another signer; what that raises is converted by `errors`."""

    def __init__(self, signer: Signer, errors: Callable[[], AbstractContextManager[None]]) -> None:
        self._signer = signer
        self._errors = errors
        self.public_key = signer.public_key

    def sign(self, message: bytes) -> str:
        with self._errors():
            return self._signer.sign(message)


def fingerprint_of(signer: Signer) -> str:
    return fingerprint(signer.public_key)


def key_signer(text: str) -> KeySigner:
    """Make a signer of a private key in OpenSSH's form or in PEM. Raises PermanentError, which repeats none of it."""
    # A connection that is set by a URI or an environment variable often has its line ends written as \n.
    content = text.replace("\\n", "\n").strip().encode() + b"\n"
    load = load_ssh_private_key if b"OPENSSH PRIVATE KEY" in content else load_pem_private_key
    try:
        key = load(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise PermanentError(
            "the password is not an unencrypted private key in OpenSSH's form or in PEM. Make one with `ssh-keygen -t "
            "ed25519 -N '' -f signing_key`, and copy the whole file."
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise PermanentError("the password is a private key of another type than Ed25519.")
    return KeySigner(key)


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _not_ed25519(answer: dict[str, Any]) -> str:
    return (
        f"the KMS key is of type {answer.get('KeySpec', 'unknown')}: name a key of type {KMS_KEY_SPEC} with usage "
        "SIGN_VERIFY."
    )
