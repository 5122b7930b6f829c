"""Nothing is called proven by a question that leaves out what is wrong."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.sealed_archive import (
    HOUR,
    START,
    SealedArchive,
    allowed_signers,
    five_hours,
    job_document,
    key_pair,
)
from tests.support.verifying import verified

from job_history_verify.allowed_signers import parse_allowed_signers
from job_history_verify.cli import main

KEYS = parse_allowed_signers(allowed_signers(key_pair()))


@pytest.fixture
def archive(tmp_path: Path) -> SealedArchive:
    (tmp_path / "allowed_signers").write_text(allowed_signers(key_pair()))
    return five_hours(tmp_path / "copy")


def exit_code(archive: SealedArchive, *arguments: str) -> int:
    return main([str(archive.folder), "--keys", str(archive.folder.parent / "allowed_signers"), *arguments])


def without_a_document(archive: SealedArchive) -> SealedArchive:
    next((archive.folder / "5234").rglob("*.json")).unlink()
    return archive


@pytest.mark.promise("proof-unchecked")
def test_range_without_a_sealed_hour_could_not_be_checked(archive: SealedArchive) -> None:
    for since, until in ((START + 5 * HOUR, None), (None, START)):
        result = verified(archive.folder, KEYS, since=since, until=until)
        assert (result.code, result.verdicts) == (2, {"could not check"})
    closed = verified(archive.folder, KEYS, since=START + 5 * HOUR, until=START + 6 * HOUR)
    assert (closed.code, closed.verdicts) == (1, {"gap"})


@pytest.mark.parametrize("until", ["2018-05-21T03:00:00Z", "2018-05-21T01:00:00Z"])
def test_range_that_ends_before_it_begins_is_refused(archive: SealedArchive, until: str) -> None:
    assert exit_code(archive, "--since", "2018-05-21T03:00:00Z", "--until", until) == 2


@pytest.mark.promise("proof-unchecked")
@pytest.mark.parametrize("until", ["2018-05-21T00:45:00Z", "2018-05-21T01:00:00Z"])
def test_range_in_which_no_hour_begins_is_refused(archive: SealedArchive, until: str) -> None:
    assert exit_code(archive, "--since", "2018-05-21T00:30:00Z", "--until", until) == 2


@pytest.mark.promise("proof-unchecked")
def test_document_in_no_seal_belongs_to_the_range_of_its_hour(archive: SealedArchive) -> None:
    key, body = job_document(99, START + timedelta(minutes=45))
    archive.deliver(key, body)
    half = START + timedelta(minutes=30)
    until, since = verified(archive.folder, KEYS, until=half), verified(archive.folder, KEYS, since=half)
    assert (until.code, until.verdicts, until.documents) == (1, {"extra"}, {"proven": 2, "extra": 1})
    assert (since.code, since.verdicts, since.documents) == (0, set(), {"proven": 6})


def test_range_from_the_middle_of_an_hour_has_no_gap(archive: SealedArchive) -> None:
    result = verified(archive.folder, KEYS, since=START + timedelta(minutes=30))
    assert (result.code, result.hours) == (0, {"proven": 4})
    archive.seal_path(5).unlink()
    archive.seal_hour(5)
    assert "gap" in verified(archive.folder, KEYS, since=START + timedelta(hours=3, minutes=30)).verdicts


@pytest.mark.promise("proof-unchecked")
def test_place_that_no_seal_names_could_not_be_checked(archive: SealedArchive) -> None:
    assert exit_code(archive, "--place", "s3://acme-audt") == 2
    assert exit_code(without_a_document(archive), "--place", "s3://acme-audt") == 1


def test_place_may_end_with_a_slash(archive: SealedArchive) -> None:
    assert exit_code(archive, "--place", "s3://acme-audit/") == 0
    assert exit_code(without_a_document(archive), "--place", "s3://acme-audit/") == 1


def test_place_of_one_account_leaves_another_at_its_own(archive: SealedArchive) -> None:
    other = five_hours(archive.folder, user_id=77)
    next((other.folder / "77").rglob("*.json")).unlink()
    archive.seal_hour(5, destination={"type": "s3", "bucket": "new-audit", "prefix": ""})
    result = verified(archive.folder, KEYS, place="s3://new-audit", accounts=())
    assert result.documents == {"proven": 15, "missing": 1}


@pytest.mark.promise("proof-unchecked")
@pytest.mark.parametrize("what_stays", ["signatures and sums", "an empty folder"])
def test_chain_whose_seals_are_all_removed_could_not_be_checked(archive: SealedArchive, what_stays: str) -> None:
    other = five_hours(archive.folder, user_id=77)
    for path in other.seals.glob("*.*"):
        if path.suffix == ".json" or what_stays == "an empty folder":
            path.unlink()
    result = verified(archive.folder, KEYS)
    assert (result.code, result.verdicts) == (2, {"could not check", "not judged"})
    assert verified(archive.folder, KEYS, accounts=[77]).code == 2


@pytest.mark.parametrize("head", ["5234/jobs/5:abc", f"5234/jobs/0:{'0' * 64}", f"5234/jobs/-1:{'0' * 64}", "5234/5"])
def test_head_that_is_cut_short_is_a_usage_error(archive: SealedArchive, head: str) -> None:
    with pytest.raises(SystemExit) as exit_of:
        exit_code(archive, "--expect-head", head)
    assert exit_of.value.code == 2


def test_head_of_an_account_that_is_left_out_is_refused(archive: SealedArchive) -> None:
    assert exit_code(archive, "--expect-head", archive.head.upper().replace("JOBS", "jobs")) == 0
    assert exit_code(archive, "--accounts", "5234", "--expect-head", f"77/jobs/1:{'0' * 64}") == 2


def test_head_before_the_first_seal_here_could_not_be_checked(archive: SealedArchive) -> None:
    archive.seal_path(1).unlink()
    result = verified(archive.folder, KEYS, since=START + HOUR, heads=[f"5234/jobs/1:{'0' * 64}"])
    assert (result.code, result.verdicts) == (2, {"could not check"})


def test_sums_are_of_the_range(archive: SealedArchive, capsys: pytest.CaptureFixture[str]) -> None:
    hours = ["--since", "2018-05-21T03:00:00Z", "--until", "2018-05-21T04:00:00Z"]
    assert exit_code(archive, "--print-sums", *hours) == 0
    keys = [line.partition("  ")[2] for line in capsys.readouterr().out.splitlines()]
    assert keys == sorted(archive.documents[START + 3 * HOUR])


def test_sums_of_messages_are_no_files(archive: SealedArchive, capsys: pytest.CaptureFixture[str]) -> None:
    for hour in range(5):
        archive.seal_hour(hour, destination={"type": "sumo_logic", "target": "collectors.example"})
    assert exit_code(archive, "--print-sums") == 0
    assert capsys.readouterr().out == ""
