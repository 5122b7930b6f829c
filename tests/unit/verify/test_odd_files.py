"""Files that no run writes: the verifier reads past them, and judges all others."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

import pytest
from tests.support.sealed_archive import HOUR, START, SealedArchive, allowed_signers, five_hours, job_document, key_pair
from tests.support.verifying import verified

from job_history_verify.allowed_signers import parse_allowed_signers
from job_history_verify.archive import Folder
from job_history_verify.layout import ChainId
from job_history_verify.proof import ProofError, check_proof, make_proof
from job_history_verify.seal import MAX_SEAL_BYTES

KEYS = parse_allowed_signers(allowed_signers(key_pair()))


@pytest.fixture
def archive(tmp_path: Path) -> SealedArchive:
    """Its last document by key is altered: a verifier that stops before it does not see that."""
    one = five_hours(tmp_path / "copy")
    max((one.folder / "5234").rglob("*.json")).write_text("altered")
    return one


@pytest.mark.parametrize("names", [["a\nb", "a+c", "a@"], ["5234\n", "\n"], ["with space", "\x1b[31m"]])
@pytest.mark.promise("proof-unchecked")
def test_names_with_line_ends_hide_nothing(archive: SealedArchive, names: list[str]) -> None:
    for name in names:
        (archive.folder / name).write_text("x")
    result = verified(archive.folder, KEYS)
    assert result.documents == {"proven": 7, "modified": 1, "extra": len(names)}
    assert {finding.key for finding in result.findings if finding.verdict.value == "extra"} == set(names)


@pytest.mark.promise("proof-unchecked")
def test_link_to_a_folder_could_not_be_checked_and_hides_nothing(archive: SealedArchive) -> None:
    (archive.folder / "5234/a link").symlink_to("/")
    result = verified(archive.folder, KEYS)
    assert (result.code, result.documents) == (1, {"proven": 7, "modified": 1, "could not check": 1})


def test_link_to_nothing_is_extra(archive: SealedArchive) -> None:
    (archive.folder / "5234/a link").symlink_to("away")
    assert verified(archive.folder, KEYS).documents == {"proven": 7, "modified": 1, "extra": 1}


@pytest.mark.promise("proof-unchecked")
@pytest.mark.parametrize("hours", [{}, {"since": START}])
def test_document_that_cannot_be_read_hides_no_other(
    archive: SealedArchive, monkeypatch: pytest.MonkeyPatch, hours: dict[str, datetime]
) -> None:
    path = min((archive.folder / "5234").rglob("*.json"))
    really_open = os.open

    def refusing(name: object, *arguments: object, **options: object) -> int:
        if name == os.fsencode(path):
            raise PermissionError(13, "Permission denied", name)
        return really_open(name, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "open", refusing)
    result = verified(archive.folder, KEYS, **hours)  # type: ignore[arg-type]
    assert (result.code, result.documents) == (1, {"proven": 6, "modified": 1, "could not check": 1})


@pytest.mark.promise("proof-unchecked")
@pytest.mark.parametrize("year", [1, 999, 9999])
def test_document_at_the_end_of_the_calendar_is_extra(archive: SealedArchive, year: int) -> None:
    key, body = job_document(99, START)
    moment = f"{year:04d}-12-31T23:30:00Z".encode()
    archive.deliver(key, body.replace(b"2018-05-21T00:00:00Z", moment))
    assert verified(archive.folder, KEYS).documents == {"proven": 7, "modified": 1, "extra": 1}
    archive.seal(START + 5 * HOUR, {}, sealed_at=moment.decode())
    assert "broken chain" in verified(archive.folder, KEYS).verdicts


@pytest.mark.promise("proof-unchecked")
def test_files_below_receipts_are_extra_in_a_bucket(archive: SealedArchive) -> None:
    archive.deliver("receipts/5234/notes.json", b"{}")
    assert verified(archive.folder, KEYS).documents == {"proven": 7, "modified": 1, "extra": 1}


@pytest.mark.promise("proof-unchecked")
def test_seal_in_a_folder_deeper_down_is_none_of_the_chain(archive: SealedArchive) -> None:
    spare = archive.seals / "spare"
    spare.mkdir()
    (spare / f"{2:012d}.json").write_bytes(archive.seal_path(2).read_bytes())
    assert verified(archive.folder, KEYS).verdicts == {"modified"}
    own = archive.seals / f"{2:012d}"
    own.mkdir()
    archive.seal_path(2).rename(own / f"{2:012d}.json")
    assert "broken chain" in verified(archive.folder, KEYS).verdicts


def test_seal_of_many_megabytes_is_no_seal_and_is_not_read_whole(archive: SealedArchive) -> None:
    content = archive.seal_path(5).read_bytes()
    with archive.seal_path(5).open("ab") as file:
        file.truncate(1 << 40)
    result = verified(archive.folder, KEYS)
    assert "broken chain" in result.verdicts
    assert len(content) < MAX_SEAL_BYTES


def test_document_that_was_erased_and_is_named_again_must_be_there(archive: SealedArchive) -> None:
    named = archive.documents[START + HOUR]
    key, sha256 = next(iter(named.items()))
    del named[key]
    (archive.folder / key).unlink()
    archive.seal_hour(1, reason="erasure")
    assert verified(archive.folder, KEYS).documents == {"proven": 6, "modified": 1, "erased": 1}
    named[key] = sha256
    archive.seal_hour(1, gone=1, reason="late")
    assert verified(archive.folder, KEYS).documents == {"proven": 6, "modified": 1, "missing": 1}


@pytest.mark.parametrize(
    ("field", "value"), [("signature", b"7"), ("index", b"1e999"), ("path", b"[1]"), ("seal", b"null")]
)
def test_proof_with_a_field_of_another_type_is_no_proof(archive: SealedArchive, field: str, value: bytes) -> None:
    import json

    key = min(archive.documents[START])
    proof = make_proof(Folder(str(archive.folder)), ChainId(5234, "jobs"), 1, key)
    document = (archive.folder / key).read_bytes()
    assert check_proof(json.dumps(proof).encode(), document, KEYS).verdict.value == "proven"
    changed = json.dumps({**proof, field: "THE VALUE"}).encode().replace(b'"THE VALUE"', value)
    with pytest.raises(ProofError):
        check_proof(changed, document, KEYS)
