"""What the program prints: nothing that it did not check is called proven, and each answer can be read."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.sealed_archive import START, SealedArchive, allowed_signers, five_hours, key_pair

from job_history_verify.archive import Folder
from job_history_verify.cli import main
from job_history_verify.ed25519 import TOOLS
from job_history_verify.layout import ChainId
from job_history_verify.proof import ProofError, make_proof
from job_history_verify.verify import deciding_seq


@pytest.fixture
def archive(tmp_path: Path) -> SealedArchive:
    (tmp_path / "allowed_signers").write_text(allowed_signers(key_pair()))
    return five_hours(tmp_path / "copy")


def exit_code(archive: SealedArchive, *arguments: str, of: str | None = None) -> int:
    keys = str(archive.folder.parent / "allowed_signers")
    try:
        return main([of or str(archive.folder), "--keys", keys, *arguments])
    except SystemExit as exit_of:
        assert isinstance(exit_of.code, int)
        return exit_of.code


def proof_of(archive: SealedArchive) -> tuple[str, str]:
    """Return the paths of a document and of its proof."""
    key = next(iter(archive.documents[START]))
    proof = archive.folder.parent / "proof.json"
    proof.write_text(json.dumps(make_proof(Folder(str(archive.folder)), ChainId(5234, "jobs"), 1, key)))
    return str(archive.folder / key), str(proof)


@pytest.mark.promise("proof-unchecked")
@pytest.mark.parametrize(
    "unused",
    [
        ["--expect-head", f"5234/jobs/9:{'0' * 64}"],
        ["--since", "2030-01-01T00:00:00Z"],
        ["--until", "2000-01-01T00:00:00Z"],
        ["--accounts", "77"],
        ["--place", "s3://elsewhere"],
        ["--strict"],
        ["--print-sums"],
    ],
)
def test_option_that_a_proof_does_not_look_at_is_refused(archive: SealedArchive, unused: list[str]) -> None:
    document, proof = proof_of(archive)
    assert exit_code(archive, "--proof", proof, of=document) == 0
    assert exit_code(archive, "--proof", proof, *unused, of=document) == 2


@pytest.mark.parametrize("unused", ["--json", "--strict"])
def test_option_that_the_sums_do_not_look_at_is_refused(archive: SealedArchive, unused: str) -> None:
    assert exit_code(archive, "--print-sums", unused) == 2


@pytest.mark.parametrize(("bytes_of_document", "verdict", "code"), [(None, "proven", 0), (b"{}", "modified", 1)])
def test_proof_is_answered_in_json(
    archive: SealedArchive,
    capsys: pytest.CaptureFixture[str],
    bytes_of_document: bytes | None,
    verdict: str,
    code: int,
) -> None:
    document, proof = proof_of(archive)
    if bytes_of_document is not None:
        Path(document).write_bytes(bytes_of_document)
    assert exit_code(archive, "--proof", proof, "--json", of=document) == code
    answer = json.loads(capsys.readouterr().out)
    assert (answer["verdict"], answer["exit_code"], answer["seq"]) == (verdict, code, 1)
    assert document.endswith(answer["key"])


@pytest.mark.promise("proof-unchecked")
@pytest.mark.parametrize(
    "damage",
    [
        lambda archive: archive.signature_path(1).unlink(),
        lambda archive: archive.signature_path(1).write_bytes(b"\xff"),
        lambda archive: archive.signature_path(1).write_bytes(b"no signature"),
        lambda archive: archive.seal_path(1).write_bytes(b"{}"),
        lambda archive: archive.sums_path(1).unlink(),
        lambda archive: archive.sums_path(1).write_bytes(b"\x1f\x8b"),
    ],
)
def test_no_proof_is_made_of_a_seal_that_cannot_be_checked(
    archive: SealedArchive, damage: Callable[[SealedArchive], None]
) -> None:
    damage(archive)
    with pytest.raises(ProofError):
        proof_of(archive)


@pytest.mark.promise("proof-unchecked")
def test_seal_that_cannot_be_read_is_not_taken_for_one_that_does_not_name_a_document(archive: SealedArchive) -> None:
    folder, chain, key = Folder(str(archive.folder)), ChainId(5234, "jobs"), next(iter(archive.documents[START]))
    assert (deciding_seq(folder, chain, key), deciding_seq(folder, chain, f"{key}x")) == (1, None)
    archive.sums_path(1).unlink()
    with pytest.raises(ProofError, match="sums differ"):
        deciding_seq(folder, chain, key)


def test_keys_that_cannot_be_read_are_answered_in_json(
    archive: SealedArchive, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(archive, "--keys", "/nowhere", "--json") == 2
    answer = json.loads(capsys.readouterr().out)
    assert (answer["exit_code"], [each["verdict"] for each in answer["findings"]]) == (2, ["could not check"])


@pytest.mark.parametrize("accounts", ["5234,", "", "5234;77", "+5234", "-1"])
def test_accounts_that_are_no_numbers_are_a_usage_error(archive: SealedArchive, accounts: str) -> None:
    assert exit_code(archive, f"--accounts={accounts}") == 2


@pytest.mark.promise("proof-unchecked")
def test_unsigned_log_that_is_allowed_is_not_called_proven(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "allowed_signers").write_text(allowed_signers(key_pair()))
    archive = SealedArchive(tmp_path / "copy", key=None)
    archive.seal_hour(0)
    assert exit_code(archive, "--allow-unsigned", "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["result"], answer["proves"]) == ("as sealed, and unsigned", [])
    assert exit_code(archive, "--allow-unsigned") == 0
    printed = capsys.readouterr().out
    assert "What this proves" not in printed
    assert "Result: as sealed, and unsigned (exit code 0)" in printed


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_name_that_the_screen_cannot_show_hides_no_other_document(
    archive: SealedArchive, monkeypatch: pytest.MonkeyPatch, encoding: str
) -> None:
    archive.deliver("0/\N{CJK UNIFIED IDEOGRAPH-65E5}.json", b"{}")
    (archive.folder / next(iter(archive.documents[START]))).unlink()
    screen = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", screen)
    assert exit_code(archive) == 1
    screen.seek(0)
    assert "Documents: 7 proven, 1 extra, 1 missing" in screen.read()


@pytest.mark.parametrize("tool", TOOLS)
def test_signature_with_other_line_ends_is_good_for_each_tool(archive: SealedArchive, tool: str) -> None:
    path = archive.signature_path(3)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert exit_code(archive, "--signature-tool", tool) == 0
