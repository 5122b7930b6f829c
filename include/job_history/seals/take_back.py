"""Takes a chain, or its end, back from an account's bucket into a ledger that has lost it."""

from __future__ import annotations

from job_history.errors import PermanentError
from job_history.errors.catalogue import finding
from job_history.errors.code import Code
from job_history.seals.archive import StorageArchive
from job_history.seals.chain_writer import Head, find_head, seal_of, seqs_below
from job_history.seals.signer import Signer
from job_history.storage import Storage
from job_history_verify.allowed_signers import AllowedKey, AllowedSigners
from job_history_verify.chain import Chain, ChainReader
from job_history_verify.chain import Signer as Check
from job_history_verify.documents import sealed_documents
from job_history_verify.ed25519 import signature_check
from job_history_verify.findings import Finding, Findings
from job_history_verify.layout import ChainId
from job_history_verify.verdicts import Verdict

_ACCEPTED = {Verdict.UNSIGNED, Verdict.UNKNOWN_KEY, Verdict.DROPPED}
"""An earlier key is not known here; the verifier judges what a chain states about its windows."""


def take_back(ledger: Storage, bucket: Storage, chain_id: ChainId, signer: Signer | None, head: Head) -> Head:
    """Copy into the ledger what the bucket has after the ledger's head, and return the head then.

    Raises PermanentError with code SEALS_OF_ANOTHER if its links or signatures do not hold, or its last seal is signed
    by another key than ours; then nothing is written.
    """
    if head.seq and seal_of(bucket, chain_id, head) is None:
        # Not copied yet, or of another: the copy finds that out.
        return head
    if bucket.read(chain_id.seal(head.seq + 1)) is None:
        if not head.seq and seqs_below(bucket, chain_id):
            raise _of_another(bucket, chain_id)
        return head
    chain = Chain(chain_id, 0)
    found: list[Finding] = []
    keys = AllowedSigners([AllowedKey(signer.public_key, None, None)] if signer else [])
    with signature_check() as (check, at_once), sealed_documents() as documents:
        findings = Findings(found.append)
        reader = ChainReader(
            StorageArchive(bucket), Check(keys, check, at_once), documents, {}, findings, start_may_be_cut_off=False
        )
        try:
            reader.read(chain)
        except OSError as error:
            raise PermanentError(f"{bucket.url(chain_id.folder)} cannot be read: {error}") from error
        findings.flush()
    if _not_ours(chain, found, signer):
        raise _of_another(bucket, chain_id)
    # The seals come last, in their order: a copy that is cut off is a chain, too.
    for path in sorted(bucket.paths(chain_id.folder), key=lambda each: (each.endswith(".json"), each)):
        content = bucket.read(path)
        if content is not None:
            ledger.create(path, content)
    return find_head(ledger, chain_id)


def _of_another(bucket: Storage, chain_id: ChainId) -> PermanentError:
    of_another = finding(Code.SEALS_OF_ANOTHER, bucket.url(chain_id.folder))
    return PermanentError(str(of_another), code=of_another.code)


def _not_ours(chain: Chain, found: list[Finding], signer: Signer | None) -> bool:
    if any(each.verdict not in _ACCEPTED for each in found):
        return True
    last = chain.untrusted.get(chain.seq)
    return last is Verdict.UNKNOWN_KEY or (signer is None and chain.signed > 0)
