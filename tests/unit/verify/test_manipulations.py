"""Each manipulation of an archive ends with exit code 1 and its own verdict."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
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
    ssh_signature,
)
from tests.support.verifying import verified

from job_history_verify.allowed_signers import parse_allowed_signers

KEYS = parse_allowed_signers(allowed_signers(key_pair()))


@pytest.fixture
def archive(tmp_path: Path) -> SealedArchive:
    return five_hours(tmp_path / "copy")


def document(archive: SealedArchive, job: int) -> Path:
    return next(archive.folder.glob(f"5234/jobs/**/5234-234-{job}-*.json"))


def test_intact_archive_is_proven(archive: SealedArchive) -> None:
    result = verified(archive.folder, KEYS)
    assert result.code == 0
    assert result.documents == {"proven": 8}
    assert result.hours == {"proven": 5}
    assert not result.findings


def drop_a_document(archive: SealedArchive) -> None:
    document(archive, 12).unlink()


def alter_a_document(archive: SealedArchive) -> None:
    content = bytearray(document(archive, 12).read_bytes())
    content[20] ^= 1
    document(archive, 12).write_bytes(content)


def swap_two_documents(archive: SealedArchive) -> None:
    one, other = document(archive, 11), document(archive, 12)
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def add_a_document(archive: SealedArchive) -> None:
    archive.deliver(*job_document(99, START + HOUR + timedelta(minutes=7)))


def add_a_file_that_is_no_document(archive: SealedArchive) -> None:
    archive.deliver("5234/jobs/234/20180521/notes.txt", b"hello")


def put_a_document_under_another_account(archive: SealedArchive) -> None:
    path = document(archive, 12)
    archive.deliver("77" + str(path.relative_to(archive.folder)).removeprefix("5234"), path.read_bytes())
    path.unlink()


def drop_a_seal(archive: SealedArchive) -> None:
    archive.seal_path(3).unlink()


def drop_a_window(archive: SealedArchive) -> None:
    archive.seal_path(2).unlink()
    document(archive, 11).unlink()
    document(archive, 12).unlink()


def alter_a_seal(archive: SealedArchive) -> None:
    path = archive.seal_path(3)
    path.write_bytes(path.read_bytes().replace(b'"listed":0', b'"listed":1'))


def swap_two_seals(archive: SealedArchive) -> None:
    one, other = archive.seal_path(2), archive.seal_path(3)
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def cut_off_the_start(archive: SealedArchive) -> None:
    archive.seal_path(1).unlink()


def seal_of_another_chain(archive: SealedArchive) -> None:
    shutil.copytree(archive.seals, archive.folder / "_control/seals/77/jobs")


def swap_two_signatures(archive: SealedArchive) -> None:
    one, other = archive.signature_path(2), archive.signature_path(3)
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def drop_a_signature(archive: SealedArchive) -> None:
    archive.signature_path(3).unlink()


def sign_the_bytes_for_another_purpose(archive: SealedArchive) -> None:
    content = archive.seal_path(3).read_bytes()
    archive.signature_path(3).write_text(ssh_signature(key_pair(), content, namespace="file"))


def end_of_another_key(archive: SealedArchive) -> None:
    archive.key = key_pair(2)
    archive.seal_hour(5)


def end_without_a_key(archive: SealedArchive) -> None:
    archive.key = None
    archive.seal_hour(5)


def alter_the_sums(archive: SealedArchive) -> None:
    path = archive.sums_path(2)
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"a", b"b")))


def drop_the_sums(archive: SealedArchive) -> None:
    archive.sums_path(2).unlink()


def leave_a_key_out(archive: SealedArchive) -> None:
    named = archive.documents[START + HOUR]
    named.pop(next(iter(named)))
    archive.seal_hour(1, reason="late")


def delete_a_document_then_seal_a_late_one(archive: SealedArchive) -> None:
    drop_a_document(archive)
    archive.seal_hour(1, dict([job_document(98, START + HOUR + timedelta(minutes=9))]), reason="late")


def seal_an_hour_as_failed(archive: SealedArchive) -> None:
    archive.seal_hour(5, state="failed")


def leave_an_hour_without_a_seal(archive: SealedArchive) -> None:
    archive.seal_hour(6)


def turn_the_clock_back(archive: SealedArchive) -> None:
    archive.sealed_at -= 3 * HOUR
    archive.seal_hour(5)


def seal_documents_of_another_account(archive: SealedArchive) -> None:
    key, body = job_document(5, START + 5 * HOUR, user_id=77)
    archive.seal_hour(5, {key: body})


def put_bytes_after_a_seal(archive: SealedArchive) -> None:
    archive.previous = None
    archive.seq = 4
    for path in archive.seals.glob("000000000005*"):
        path.unlink()
    archive.seal_hour(4)


MANIPULATIONS: dict[Callable[[SealedArchive], None], set[str]] = {
    drop_a_document: {"missing"},
    alter_a_document: {"modified"},
    swap_two_documents: {"modified"},
    add_a_document: {"extra"},
    add_a_file_that_is_no_document: {"extra"},
    put_a_document_under_another_account: {"missing", "extra"},
    drop_a_seal: {"broken chain"},
    drop_a_window: {"broken chain"},
    alter_a_seal: {"bad signature", "broken chain"},
    swap_two_seals: {"broken chain"},
    cut_off_the_start: {"start cut off"},
    seal_of_another_chain: {"broken chain"},
    swap_two_signatures: {"bad signature"},
    drop_a_signature: {"bad signature"},
    sign_the_bytes_for_another_purpose: {"bad signature"},
    end_of_another_key: {"unknown key"},
    end_without_a_key: {"bad signature"},
    alter_the_sums: {"sums differ"},
    drop_the_sums: {"sums differ"},
    leave_a_key_out: {"dropped"},
    delete_a_document_then_seal_a_late_one: {"missing"},
    seal_an_hour_as_failed: {"failed"},
    leave_an_hour_without_a_seal: {"gap"},
    turn_the_clock_back: {"broken chain"},
    seal_documents_of_another_account: {"sums differ"},
    put_bytes_after_a_seal: {"broken chain"},
}


@pytest.mark.promise("proof-manipulations")
@pytest.mark.parametrize("manipulate", MANIPULATIONS, ids=lambda function: function.__name__)
def test_manipulation_has_its_own_verdict(archive: SealedArchive, manipulate: Callable[[SealedArchive], None]) -> None:
    manipulate(archive)
    result = verified(archive.folder, KEYS)
    assert result.code == 1
    assert MANIPULATIONS[manipulate] <= result.verdicts


def test_cut_off_end_is_found_by_the_head_that_a_witness_noted(archive: SealedArchive) -> None:
    head = archive.head
    for path in archive.seals.glob("000000000005*"):
        path.unlink()
    for job in (41, 42):
        document(archive, job).unlink()
    assert verified(archive.folder, KEYS).code == 0
    cut_off = verified(archive.folder, KEYS, heads=[head])
    assert (cut_off.code, cut_off.verdicts) == (1, {"cut off"})


def test_expected_head_with_other_bytes_breaks_the_chain(archive: SealedArchive) -> None:
    head = f"5234/jobs/4:{'0' * 64}"
    assert verified(archive.folder, KEYS, heads=[head]).verdicts == {"broken chain"}
    assert verified(archive.folder, KEYS, heads=[archive.head]).code == 0


def test_head_of_a_chain_that_is_gone_is_cut_off(archive: SealedArchive) -> None:
    head = f"77/jobs/4:{'0' * 64}"
    assert verified(archive.folder, KEYS, heads=[head]).verdicts == {"cut off"}


def test_key_outside_of_its_validity(archive: SealedArchive) -> None:
    for option in ('valid-before="20180521030000Z"', 'valid-after="20180521030000Z"'):
        keys = parse_allowed_signers(allowed_signers(key_pair(), option))
        result = verified(archive.folder, keys)
        assert (result.code, result.verdicts) == (1, {"key not valid then"})
        # Sealed at 2, 3, 4, 5 and 6 o'clock; the moment itself is within.
        assert result.hours["proven"] in {2, 4}


def test_rotated_key_is_valid_from_its_own_time_on(archive: SealedArchive) -> None:
    archive.key = key_pair(2)
    archive.seal_hour(5)
    text = allowed_signers(key_pair(), 'valid-before="20180521060000Z"') + allowed_signers(
        key_pair(2), 'valid-after="20180521060000Z"'
    )
    result = verified(archive.folder, parse_allowed_signers(text))
    assert (result.code, result.hours) == (0, {"proven": 6})


def test_document_with_a_repaired_sum_is_proven_by_the_newest_seal(archive: SealedArchive) -> None:
    key, body = job_document(11, START + HOUR + timedelta(minutes=5), note="corrected")
    archive.seal_hour(1, {key: body}, reason="repair")
    assert verified(archive.folder, KEYS).documents == {"proven": 8}
    archive.deliver(*job_document(11, START + HOUR + timedelta(minutes=5)))
    assert verified(archive.folder, KEYS).documents == {"proven": 7, "modified": 1}


@pytest.mark.parametrize("hour_that_lost_it_first", [True, False])
def test_document_that_moved_between_two_hours_is_proven(archive: SealedArchive, hour_that_lost_it_first: bool) -> None:
    """Its completed_at was corrected from hour 1 to 3, both were repaired, and hour 1 still names its old bytes."""
    key, _ = job_document(11, START + HOUR + timedelta(minutes=5))
    moved = document(archive, 11).read_bytes().replace(b"T01:05:00Z", b"T03:05:00Z")
    assert next(iter(archive.documents[START + HOUR])) == key
    archive.documents[START + HOUR] = dict(reversed(archive.documents[START + HOUR].items()))
    if hour_that_lost_it_first:
        archive.seal_hour(1, gone=1, reason="repair")
    archive.seal_hour(3, {key: moved}, reason="repair")
    if not hour_that_lost_it_first:
        archive.seal_hour(1, gone=1, reason="repair")
    result = verified(archive.folder, KEYS)
    assert (result.code, result.documents) == (0, {"proven": 8})


def test_erased_document_is_erased_and_may_not_be_there(archive: SealedArchive) -> None:
    named = archive.documents[START + HOUR]
    key = next(iter(named))
    del named[key]
    body = (archive.folder / key).read_bytes()
    (archive.folder / key).unlink()
    archive.seal_hour(1, reason="erasure")
    archive.seal_hour(1, dict([job_document(98, START + HOUR + timedelta(minutes=9))]), reason="late")
    result = verified(archive.folder, KEYS)
    assert (result.code, result.documents) == (0, {"proven": 8, "erased": 1})
    archive.deliver(key, body)
    assert verified(archive.folder, KEYS).verdicts == {"extra"}


def test_document_of_an_hour_that_is_not_sealed_as_closed_is_not_judged(archive: SealedArchive) -> None:
    archive.seal_hour(5, state="unrecoverable")
    for job, hour in ((97, 5), (98, 6)):
        archive.deliver(*job_document(job, START + hour * HOUR + timedelta(minutes=1)))
    result = verified(archive.folder, KEYS)
    assert (result.code, result.documents) == (0, {"proven": 8, "not judged": 2})
    assert verified(archive.folder, KEYS, strict=True).code == 1


@pytest.mark.parametrize("state", ["unrecoverable", "disabled"])
def test_hours_that_no_run_could_close_fail_only_a_strict_verification(archive: SealedArchive, state: str) -> None:
    archive.seal_hour(5, state=state)
    assert verified(archive.folder, KEYS).code == 0
    strict = verified(archive.folder, KEYS, strict=True)
    assert (strict.code, strict.verdicts) == (1, {state})


def test_unsigned_log_needs_to_be_allowed(tmp_path: Path) -> None:
    archive = SealedArchive(tmp_path, key=None)
    archive.seal_hour(0, dict([job_document(1, START)]))
    assert (verified(tmp_path, KEYS).code, verified(tmp_path, KEYS).verdicts) == (1, {"unsigned"})
    allowed = verified(tmp_path, None, allow_unsigned=True)
    assert (allowed.code, allowed.documents) == (0, {"unsigned": 1})
    drop_a_document_of = next(tmp_path.glob("5234/jobs/**/*.json"))
    drop_a_document_of.write_bytes(b"{}")
    assert verified(tmp_path, None, allow_unsigned=True).verdicts >= {"modified"}


def test_log_that_was_signed_later_is_unsigned_before(tmp_path: Path) -> None:
    archive = SealedArchive(tmp_path, key=None)
    archive.seal_hour(0, dict([job_document(1, START)]))
    archive.key = key_pair()
    archive.seal_hour(1, dict([job_document(2, START + HOUR)]))
    result = verified(tmp_path, KEYS)
    assert (result.code, result.documents) == (1, {"unsigned": 1, "proven": 1})
    assert verified(tmp_path, KEYS, allow_unsigned=True).code == 0


def test_what_killed_reports_left_is_no_part_of_the_chain(archive: SealedArchive) -> None:
    (archive.seals / f"{6:012d}-{'ab' * 8}.sig").write_text("left")
    (archive.seals / f"{3:012d}-{'ab' * 8}.sig").write_text("left")
    (archive.seals / "sums" / f"{'ab' * 32}.sums.gz").write_bytes(b"left")
    assert verified(archive.folder, KEYS).code == 0


def test_newer_format_could_not_be_checked(archive: SealedArchive) -> None:
    archive.seal_hour(5, type="job-history/seal/v2")
    result = verified(archive.folder, KEYS)
    assert (result.code, result.verdicts) == (2, {"could not check"})


def test_place_moved_leaves_its_documents_elsewhere(archive: SealedArchive) -> None:
    for job in (1, 2, 11, 12):
        document(archive, job).unlink()
    moved = {"type": "s3", "bucket": "new-audit", "prefix": "archive"}
    for hour in (3, 4):
        archive.seal_hour(hour, destination=moved, reason="repair")
    result = verified(archive.folder, KEYS)
    assert (result.code, result.documents) == (0, {"proven": 4, "elsewhere": 4})
    before = verified(archive.folder, KEYS, place="s3://acme-audit")
    assert (before.code, before.documents) == (1, {"proven": 4, "missing": 4})


def test_account_that_moves_there_and_back_forgets_nothing(archive: SealedArchive) -> None:
    moved = {"type": "s3", "bucket": "new-audit", "prefix": ""}
    late = job_document(98, START + HOUR + timedelta(minutes=9))
    archive.seal(START + HOUR, {late[0]: "0" * 64}, destination=moved)
    archive.seal_hour(5, destination=moved)
    archive.seal_hour(5)
    assert verified(archive.folder, KEYS).documents == {"proven": 8, "elsewhere": 1}


def test_messages_are_not_checkable(tmp_path: Path) -> None:
    archive = SealedArchive(tmp_path)
    key, _ = job_document(1, START)
    archive.seal(START, {key: "0" * 64}, destination={"type": "sumo_logic", "target": "collectors.example"})
    result = verified(tmp_path, KEYS)
    assert (result.code, result.documents) == (0, {"not checkable": 1})


def test_range_leaves_out_other_hours(archive: SealedArchive) -> None:
    drop_a_document(archive)
    cut_off_the_start(archive)
    result = verified(archive.folder, KEYS, since=START + 3 * HOUR, until=START + 4 * HOUR)
    assert (result.code, result.documents, result.hours) == (0, {"proven": 2}, {"proven": 1})
    assert verified(archive.folder, KEYS, since=START + 3 * HOUR, until=START + 6 * HOUR).verdicts == {"gap"}


def test_accounts_are_verified_by_themselves(archive: SealedArchive) -> None:
    other = five_hours(archive.folder, user_id=77)
    next(other.folder.glob("77/jobs/**/77-234-12-*.json")).unlink()
    assert verified(archive.folder, KEYS).documents == {"proven": 15, "missing": 1}
    assert verified(archive.folder, KEYS, accounts={5234}).documents == {"proven": 8}
    assert verified(archive.folder, KEYS, accounts={1}).code == 2


def test_documents_of_an_account_without_seals_could_not_be_checked(archive: SealedArchive) -> None:
    archive.deliver(*job_document(1, START, user_id=77))
    result = verified(archive.folder, KEYS)
    assert (result.code, result.verdicts) == (2, {"could not check", "not judged"})


@pytest.mark.parametrize("unreadable", ["_control/seals/5234/jobs", "5234/jobs/234"])
def test_folder_that_cannot_be_read_could_not_be_checked(archive: SealedArchive, unreadable: str) -> None:
    """A file in the place of a folder: root may read everything else."""
    path = archive.folder / unreadable
    shutil.rmtree(path)
    path.symlink_to(path.parent / "away")
    result = verified(archive.folder, KEYS)
    assert result.code in {1, 2}
    assert "proven" not in result.documents


def test_no_seals_and_no_keys_could_not_be_checked(archive: SealedArchive, tmp_path: Path) -> None:
    assert verified(archive.folder, None).code == 2
    assert verified(tmp_path / "nothing", KEYS).code == 2
    (tmp_path / "empty").mkdir()
    assert verified(tmp_path / "empty", KEYS).code == 2


def test_nothing_of_a_chain_is_proven_if_a_later_seal_is_lost(archive: SealedArchive) -> None:
    """The lost seal may have named other bytes: a document that was put back to its old bytes must not pass."""
    key, body = job_document(11, START + HOUR + timedelta(minutes=5), note="corrected")
    archive.seal_hour(1, {key: body}, reason="repair")
    archive.seal_hour(5)
    archive.deliver(*job_document(11, START + HOUR + timedelta(minutes=5)))
    archive.seal_path(6).unlink()
    assert "proven" not in verified(archive.folder, KEYS).documents


def test_seal_with_a_field_twice_is_no_seal(archive: SealedArchive) -> None:
    archive.seq += 1
    content = archive.seal_path(5).read_bytes().replace(b'"seq":5', b'"seq":5,"seq":6')
    archive.write_seal(content)
    assert json.loads(content)["seq"] == 6
    assert verified(archive.folder, KEYS).verdicts == {"broken chain"}
