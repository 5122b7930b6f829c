"""Storage in a folder: whole files, and faults that say where."""

from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Barrier, Event

import pytest
from tests.support.folder_as_bucket import FolderAsBucket

from job_history.errors import PermanentError
from job_history.storage import (
    FILES_AHEAD_IN_A_BUCKET,
    REQUESTS_AT_ONCE,
    Storage,
    as_they_end,
    folder_of,
    local_storage,
    one_after_another,
)


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


def in_a_folder(folder: Path) -> Storage:
    return local_storage(folder)


def in_a_bucket(folder: Path) -> Storage:
    return Storage(FolderAsBucket(folder), "s3://bucket")


@pytest.mark.parametrize("storage_in", [in_a_folder, in_a_bucket])
def test_many_files_are_read_in_the_order_asked_for(storage_in: Callable[[Path], Storage], tmp_path: Path) -> None:
    storage = storage_in(tmp_path)
    numbers = range(3 * FILES_AHEAD_IN_A_BUCKET)
    for number in numbers:
        storage.write(f"a/{number}", b"%d" % number)
    asked = [f"a/{number}" for number in numbers]
    assert list(storage.read_all(["a/none", *asked])) == [None, *(b"%d" % number for number in numbers)]


def test_of_a_bucket_many_files_are_deleted_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request waits until others are under way: one after another, none would end."""
    storage = in_a_bucket(tmp_path)
    for number in range(REQUESTS_AT_ONCE):
        storage.write(f"a/{number}", b"1")
    together, delete = Barrier(REQUESTS_AT_ONCE), storage.files.delete

    def delete_with_others(path: str) -> None:
        together.wait(timeout=20)
        delete(path)

    monkeypatch.setattr(storage.files, "delete", delete_with_others)
    storage.delete_below("a")
    assert list(storage.paths("a")) == []


def test_of_a_bucket_only_so_many_files_are_in_memory(tmp_path: Path) -> None:
    storage = in_a_bucket(tmp_path)
    storage.write("a", b"")
    asked: list[str] = []

    def paths() -> Iterator[str]:
        while True:
            asked.append("a")
            yield "a"

    reading = storage.read_all(paths())
    for _ in range(3):
        next(reading)
    reading.close()
    assert len(asked) == FILES_AHEAD_IN_A_BUCKET + 3


def test_the_folder_is_for_its_owner_only(tmp_path: Path) -> None:
    local_storage(tmp_path / "ledger")
    assert (tmp_path / "ledger").stat().st_mode & 0o777 == 0o700


def test_url_of_a_file(tmp_path: Path) -> None:
    assert local_storage(tmp_path).url("a/b.json") == f"file://{tmp_path}/a/b.json"


def test_storage_error_names_action_and_path(tmp_path: Path) -> None:
    storage = local_storage(tmp_path)
    (tmp_path / "a").write_text("a file where a folder should be")
    with pytest.raises(PermanentError) as refused:
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


def test_a_call_that_takes_long_holds_no_other_up() -> None:
    others_ended = Event()

    def call(number: int) -> tuple[int, bool]:
        if number == 99:
            others_ended.set()
        return number, number > 0 or others_ended.wait(10)

    results = list(as_they_end(call, range(100), at_once=2))
    assert (sorted(results), results[0][0]) == ([(number, True) for number in range(100)], 1)


@pytest.mark.parametrize("several", [one_after_another, as_they_end])
def test_the_first_error_ends_several_calls(several: Callable[..., Iterator[int]]) -> None:
    made: list[int] = []

    def call(number: int) -> int:
        made.append(number)
        return 1 // (number - 50)

    with pytest.raises(ZeroDivisionError):
        list(several(call, range(5_000), at_once=1))
    assert made[:51] == list(range(51))
    assert len(made) < 5_000
