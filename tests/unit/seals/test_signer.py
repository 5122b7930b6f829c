"""Keys that sign seals: from a connection, or kept by KMS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from tests.support.sealed_archive import fingerprint_of as fingerprint_by_hand
from tests.support.sealed_archive import key_pair
from tests.support.sealing import Installation, jobs_of

from job_history.errors import PermanentError
from job_history.seals.signer import KmsSigner, fingerprint_of, key_signer

OPENSSH = key_pair().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
PEM = key_pair().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


class Kms:
    """Signs as AWS documents it for ECC_NIST_EDWARDS25519, and refuses what KMS refuses."""

    def __init__(self, key: Any, spec: str = "ECC_NIST_EDWARDS25519") -> None:
        self._key, self._spec = key, spec
        self.algorithms = (
            ["ED25519_SHA_512", "ED25519_PH_SHA_512"] if spec.startswith("ECC_NIST_ED") else ["ECDSA_SHA_256"]
        )

    def get_public_key(self, *, KeyId: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        public = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return {"KeyId": KeyId, "PublicKey": public, "KeySpec": self._spec, "SigningAlgorithms": self.algorithms}

    def sign(self, *, KeyId: str, Message: bytes, MessageType: str, SigningAlgorithm: str) -> dict[str, Any]:  # noqa: N803
        assert MessageType == "RAW"
        assert SigningAlgorithm == "ED25519_SHA_512"
        assert 1 <= len(Message) <= 4_096
        return {"KeyId": KeyId, "Signature": self._key.sign(Message), "SigningAlgorithm": SigningAlgorithm}


@pytest.mark.parametrize(
    "text",
    [OPENSSH, PEM, OPENSSH.replace("\n", "\\n"), f"  {PEM}\n\n"],
    ids=["openssh", "pem", "escaped line ends", "white space around"],
)
def test_key_is_read_as_openssh_writes_it_and_as_pem(text: str) -> None:
    assert fingerprint_of(key_signer(text)) == fingerprint_by_hand(key_pair())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        OPENSSH[:-60],
        generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    ],
    ids=["empty", "no key", "cut off", "another kind of key"],
)
def test_unusable_key_is_an_error_that_repeats_none_of_it(text: str) -> None:
    with pytest.raises(PermanentError) as error:
        key_signer(text)
    assert "Ed25519" in str(error.value) or "ed25519" in str(error.value)
    assert not text or text[:40] not in str(error.value)


def test_seals_signed_by_kms_are_proven(tmp_path: Path) -> None:
    one = Installation(tmp_path, signer=lambda: KmsSigner(Kms(key_pair()), "alias/seals"))
    one.run(0, jobs_of(0, 1))
    assert one.verified().code == 0


def test_kms_key_of_another_type_is_an_error() -> None:
    for kms in (Kms(generate_private_key(SECP256R1()), "ECC_NIST_P256"),):
        with pytest.raises(PermanentError, match="ECC_NIST_P256"):
            KmsSigner(kms, "alias/seals")
    prehashed = Kms(Ed25519PrivateKey.generate())
    prehashed.algorithms = ["ED25519_PH_SHA_512"]
    with pytest.raises(PermanentError):
        KmsSigner(prehashed, "alias/seals")
