"""A copied ledger: its receipts are held against the seals, in both directions."""

from __future__ import annotations

import errno
import os
import shutil
from datetime import datetime
from pathlib import Path

import pytest
from tests.support.sealed_archive import HOUR, START, SealedArchive, allowed_signers, five_hours, key_pair
from tests.support.verifying import Verified, verified

from job_history_verify import archive
from job_history_verify.allowed_signers import parse_allowed_signers

KEYS = parse_allowed_signers(allowed_signers(key_pair()))


def receipt(ledger: SealedArchive, hour: int, revision: int = 1, content: bytes = b"receipt") -> Path:
    window = START + hour * HOUR
    slug = f"{window:%Y%m%dT%H%M%SZ}-{window + HOUR:%Y%m%dT%H%M%SZ}"
    key = f"receipts/{ledger.user_id}/jobs/{window:%Y%m%d}/{slug}/r{revision:06d}.json"
    ledger.deliver(key, content)
    return ledger.folder / key


def verified_ledger(ledger: SealedArchive, since: datetime | None = None) -> Verified:
    return verified(ledger.folder, KEYS, place="none", since=since)


@pytest.fixture
def ledger(tmp_path: Path) -> SealedArchive:
    """Receipts and seals of five hours; the documents are in the bucket."""
    one = five_hours(tmp_path / "ledger")
    shutil.rmtree(one.folder / "5234")
    for hour in range(5):
        receipt(one, hour)
    return one


@pytest.mark.promise("proof-manipulations")
def test_ledger_whose_receipts_are_all_sealed_is_proven(ledger: SealedArchive) -> None:
    result = verified_ledger(ledger)
    assert (result.code, result.hours, result.documents) == (0, {"proven": 5}, {"elsewhere": 8})


@pytest.mark.promise("proof-manipulations")
def test_receipt_with_other_bytes_is_modified(ledger: SealedArchive) -> None:
    receipt(ledger, 1, content=b"forged")
    assert verified_ledger(ledger).hours == {"proven": 5, "modified": 1}


@pytest.mark.promise("proof-manipulations")
def test_second_file_of_a_revision_changes_no_judgement_of_the_others(ledger: SealedArchive) -> None:
    copy = receipt(ledger, 1)
    copy.with_name("r1.json").write_bytes(b"forged")
    receipt(ledger, 2, content=b"forged")
    assert verified_ledger(ledger).hours == {"proven": 5, "modified": 1}


def test_receipt_that_cannot_be_read_leaves_none_of_the_others_unjudged(
    ledger: SealedArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreadable, _ = receipt(ledger, 1), receipt(ledger, 3, content=b"forged")
    digest_of = archive._digest_of

    def refusing(path: bytes) -> bytes:
        if os.fsdecode(path) == str(unreadable):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return digest_of(path)

    monkeypatch.setattr(archive, "_digest_of", refusing)
    assert verified_ledger(ledger).hours == {"proven": 5, "could not check": 1, "modified": 1}


@pytest.mark.promise("proof-manipulations")
def test_newer_revision_without_a_seal_is_unsealed(ledger: SealedArchive) -> None:
    receipt(ledger, 1, 2, b"newer")
    assert verified_ledger(ledger).hours == {"proven": 5, "unsealed": 1}


@pytest.mark.promise("proof-manipulations")
def test_earlier_revision_is_held_against_its_own_seal(ledger: SealedArchive) -> None:
    ledger.seal_hour(1, receipt={"revision": 2, "sha256": "0" * 64}, reason="late")
    assert verified_ledger(ledger).verdicts == {"missing"}
    receipt(ledger, 1, content=b"forged")
    assert verified_ledger(ledger).hours == {"proven": 5, "modified": 1, "missing": 1}
    receipt(ledger, 1).unlink()
    assert verified_ledger(ledger).hours == {"proven": 5, "missing": 2}


@pytest.mark.promise("proof-manipulations")
def test_sealed_window_without_a_receipt_is_missing(ledger: SealedArchive) -> None:
    receipt(ledger, 2).unlink()
    assert verified_ledger(ledger).hours == {"proven": 5, "missing": 1}
    assert verified_ledger(ledger, since=START + 3 * HOUR).code == 0
    shutil.rmtree(ledger.folder / "receipts")
    assert verified_ledger(ledger).hours == {"proven": 5, "missing": 5}


@pytest.mark.promise("proof-manipulations")
def test_receipts_of_an_account_without_seals_are_unsealed(ledger: SealedArchive) -> None:
    receipt(SealedArchive(ledger.folder, user_id=77), 0)
    result = verified_ledger(ledger)
    assert (result.code, result.verdicts) == (1, {"unsealed"})
    assert {str(finding.chain) for finding in result.findings} == {"77/jobs"}


@pytest.mark.promise("proof-manipulations")
def test_receipt_in_the_folder_of_another_day_is_no_receipt(ledger: SealedArchive) -> None:
    path = receipt(ledger, 2)
    path.parent.rename(ledger.folder / "receipts/5234/jobs" / path.parent.name)
    assert verified_ledger(ledger).verdicts == {"missing"}
