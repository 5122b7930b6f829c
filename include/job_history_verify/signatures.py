"""What the signature of a seal is worth."""

from __future__ import annotations

from job_history_verify.allowed_signers import AllowedSigners
from job_history_verify.seal import Seal
from job_history_verify.sshsig import NAMESPACE, SshSignature, fingerprint
from job_history_verify.verdicts import Verdict


def verdict_of_signature(
    seal: Seal, signature: SshSignature | None, *, is_good: bool, keys: AllowedSigners
) -> tuple[Verdict | None, str]:
    """Return the verdict and its detail; no verdict if the signature is good.

    `is_good`: it is a signature of the seal's bytes by the key that it names.
    """
    verdict: Verdict | None = Verdict.BAD_SIGNATURE
    if seal.key is None:
        detail = "it names no key, and a seal before it is signed"
    elif signature is None:
        detail = "there is no signature of these bytes"
    elif not is_good or signature.namespace != NAMESPACE:
        detail = "the signature is not one of these bytes"
    elif fingerprint(signature.public_key) != seal.key:
        detail = f"it names the key {seal.key}, and another one has signed it"
    elif not keys.knows(signature.public_key):
        verdict, detail = Verdict.UNKNOWN_KEY, f"signed by {seal.key}, which is none of the keys given"
    elif not keys.allows(signature.public_key, seal.sealed_at):
        verdict, detail = Verdict.KEY_NOT_VALID, f"signed by {seal.key} outside of the key's validity"
    else:
        verdict, detail = None, ""
    return verdict, detail
