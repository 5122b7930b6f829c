"""Storage in a folder: whole files, and faults that say where."""

from pathlib import Path

import pytest

from job_history.errors import TransientError
from job_history.storage import folder_of, local_storage


def test_files_are_written_read_listed_and_deleted(tmp_path: Path) -> None:
    storage = local_storage(tmp_path / "new" / "folder")
    assert storage.read("a/b.json") is None
    storage.write("a/b.json", b"1")
    storage.write("a/b.json", b"2")
    storage.write("a/c/d.json", b"3")
    storage.write("ab.json", b"4")
    with storage.writer("a/streamed") as file:
        file.write(b"x" * 100)
        file.write(b"y")
    assert (storage.read("a/b.json"), storage.read("a/streamed")) == (b"2", b"x" * 100 + b"y")
    assert sorted(storage.paths("a")) == ["a/b.json", "a/c/d.json", "a/streamed"]
    assert list(storage.paths("nowhere")) == []
    storage.delete("a/b.json")
    storage.delete("a/b.json")
    assert storage.read("a/b.json") is None
    storage.delete_below("a")
    assert (list(storage.paths("a")), storage.read("ab.json")) == ([], b"4")


def test_the_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    local_storage(tmp_path / "ledger")
    assert (tmp_path / "ledger").stat().st_mode & 0o777 == 0o700


def test_a_url_says_where_a_file_is(tmp_path: Path) -> None:
    assert local_storage(tmp_path).url("a/b.json") == f"file://{tmp_path}/a/b.json"


def test_a_fault_says_what_could_not_be_done_and_where(tmp_path: Path) -> None:
    storage = local_storage(tmp_path)
    (tmp_path / "a").write_text("a file where a folder should be")
    with pytest.raises(TransientError) as refused:
        storage.write("a/b.json", b"1")
    assert str(refused.value).startswith(f"Cannot write file://{tmp_path}/a/b.json: ")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("file:///var/ledger", Path("/var/ledger")),
        ("/var/ledger", Path("/var/ledger")),
        ("s3://bucket/ledger", None),
        ("gs://bucket/ledger", None),
    ],
)
def test_what_a_url_of_the_config_names(url: str, folder: Path | None) -> None:
    assert folder_of(url) == folder
