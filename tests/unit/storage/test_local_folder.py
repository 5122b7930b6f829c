"""Files of ledger and staging are for their user alone, and no link leads out of the folder."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from job_history.errors import PermanentError, TransientError
from job_history.storage import Storage, local_storage


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def _umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def fill(storage: Storage) -> None:
    storage.write("a/b/written", b"1")
    assert storage.create("a/created", b"2")
    with storage.writer("c/streamed") as file:
        file.write(b"3")


def modes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): f"{stat.S_IMODE(path.stat().st_mode):04o}" for path in sorted(folder.rglob("*"))
    }


@pytest.mark.promise("private-files")
@pytest.mark.usefixtures("_umask")
@pytest.mark.parametrize(
    ("shared_group", "file", "folder"), [(False, "0600", "0700"), (True, "0660", "0770")], ids=["private", "group"]
)
def test_files_and_folders_have_their_modes_whatever_the_umask_is(
    tmp_path: Path, shared_group: bool, file: str, folder: str
) -> None:
    root = tmp_path / "outer" / "ledger"
    fill(local_storage(root, shared_group=shared_group))

    assert modes(tmp_path / "outer") == {
        "ledger": folder,
        "ledger/a": folder,
        "ledger/a/b": folder,
        "ledger/a/b/written": file,
        "ledger/a/created": file,
        "ledger/c": folder,
        "ledger/c/streamed": file,
    }


@pytest.mark.usefixtures("_umask")
def test_files_in_a_folder_that_existed_before_are_private_too(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    fill(local_storage(tmp_path))

    assert set(modes(tmp_path).values()) == {"0600", "0700"}


@pytest.mark.parametrize("mode", [0o777, 0o757, 0o702])
def test_a_folder_in_which_every_user_can_replace_files_is_refused(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)

    with pytest.raises(PermanentError, match="chmod"):
        local_storage(tmp_path)


@pytest.mark.parametrize("open_one", ["a", "a/b"])
def test_a_folder_that_every_user_can_replace_in_its_parent_is_refused(tmp_path: Path, open_one: str) -> None:
    ledger = tmp_path / "a" / "b" / "ledger"
    ledger.mkdir(parents=True)
    (tmp_path / "linked").symlink_to(ledger)
    (tmp_path / open_one).chmod(0o777)

    for folder in (ledger, tmp_path / "linked"):
        with pytest.raises(PermanentError, match=rf"chmod o-w {tmp_path / open_one}`"):
            local_storage(folder)

    (tmp_path / open_one).chmod(0o1777)
    fill(local_storage(ledger))


def test_a_folder_with_the_sticky_bit_is_taken(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)

    fill(local_storage(tmp_path))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(tmp_path: Path) -> None:
    os.chown(tmp_path, 65534, 65534)

    with pytest.raises(PermanentError, match="belongs to user 65534"):
        local_storage(tmp_path)


@pytest.mark.promise("private-files")
@pytest.mark.parametrize("shared_group", [False, True], ids=["private", "group"])
def test_a_folder_inside_in_which_every_user_can_replace_files_is_refused(tmp_path: Path, shared_group: bool) -> None:
    """Such as an earlier release made under umask 000, below a folder that was closed since."""
    storage = local_storage(tmp_path, shared_group=shared_group)
    storage.write("receipts/1/a", b"1")
    (tmp_path / "receipts" / "1").chmod(0o777)

    for attempt in (
        lambda: storage.read("receipts/1/a"),
        lambda: storage.write("receipts/1/b", b"1"),
        lambda: list(storage.paths("receipts/1")),
    ):
        with pytest.raises(PermanentError, match=r"chmod o-rwx .*/receipts/1"):
            attempt()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_inside_that_another_user_made_is_refused_unless_a_group_shares_it(tmp_path: Path) -> None:
    """In a folder with the sticky bit, any user can make it first."""
    tmp_path.chmod(0o1777)
    (tmp_path / "receipts").mkdir()
    (tmp_path / "receipts" / "a").write_bytes(b"of someone else")
    os.chown(tmp_path / "receipts", 65534, 65534)

    assert attempts(local_storage(tmp_path), "receipts/a") == [PermanentError, PermanentError]
    assert attempts(local_storage(tmp_path, shared_group=True), "receipts/a") == [b"of someone else"] * 2


def as_user(uid: int, group: int, does: Callable[[], object]) -> int:
    """Do something as a user whose primary group is its own, and who is in another group; return 0 if it succeeds."""
    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        os.setgroups([group])
        os.setgid(uid)
        os.setuid(uid)
        os._exit(0 if does() is not False else 1)
    except BaseException:  # noqa: BLE001 - a child process must not go on with the tests
        os._exit(2)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.promise("private-files")
@pytest.mark.parametrize("mode", [0o770, 0o2770])
def test_users_of_a_group_share_what_each_of_them_makes(mode: int) -> None:
    """The primary group of each is its own, as `useradd` makes it."""
    group, owner = 7000, 1500
    with TemporaryDirectory(dir="/var/tmp") as top:
        Path(top).chmod(0o755)
        folder = Path(top) / "ledger"
        folder.mkdir()
        os.chown(folder, owner, group)
        folder.chmod(mode)

        def storage() -> Storage:
            return local_storage(folder, shared_group=True)

        assert as_user(1501, group, lambda: storage().write("receipts/1/a", b"1")) == 0
        assert as_user(1502, group, lambda: storage().read("receipts/1/a") == b"1") == 0
        assert as_user(1502, group, lambda: storage().create("receipts/1/b", b"2")) == 0
        assert as_user(1501, group, lambda: storage().delete("receipts/1/b")) == 0
        assert {path.stat().st_gid for path in folder.rglob("*")} == {group}
        assert set(modes(folder).values()) == {"0660", "0770"}
        assert as_user(1503, 7001, storage) == 2


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"of someone else")
    return outside


def attempts(storage: Storage, path: str) -> list[type | bytes | None]:
    """What reading, streaming, writing and creating come to."""
    results: list[type | bytes | None] = []

    def streamed() -> bytes:
        with storage.reader(path) as file:
            return file.read()

    for attempt in (lambda: storage.read(path), streamed):
        try:
            results.append(attempt())
        except (PermanentError, TransientError) as error:
            results.append(type(error))
    return results


@pytest.mark.promise("private-files")
def test_a_folder_that_is_a_link_is_not_followed(tmp_path: Path, outside: Path) -> None:
    storage = local_storage(tmp_path / "ledger")
    (tmp_path / "ledger" / "receipts").symlink_to(outside)

    assert attempts(storage, "receipts/secret") == [TransientError, TransientError]
    for write in (storage.write, storage.create):
        with pytest.raises(TransientError, match="symbolic link"):
            write("receipts/new", b"1")
    with pytest.raises(TransientError):
        storage.delete("receipts/secret")
    with pytest.raises(TransientError):
        storage.delete_below("receipts")
    assert list(storage.paths("")) == []
    assert {path.name for path in outside.iterdir()} == {"secret"}


def test_a_file_that_is_a_link_is_not_followed(tmp_path: Path, outside: Path) -> None:
    storage = local_storage(tmp_path / "ledger")
    link = tmp_path / "ledger" / "receipt.json"
    link.symlink_to(outside / "secret")

    assert attempts(storage, "receipt.json") == [TransientError, TransientError]
    assert storage.create("receipt.json", b"1") is False
    assert list(storage.paths("")) == []

    storage.write("receipt.json", b"ours")  # replaces the link, not the file that it names
    assert (outside / "secret").read_bytes() == b"of someone else"
    assert storage.read("receipt.json") == b"ours"


@pytest.mark.parametrize("path", ["../outside/secret", "a/../../outside/secret", "./x"])
def test_a_path_that_leads_out_is_refused(tmp_path: Path, outside: Path, path: str) -> None:
    storage = local_storage(tmp_path / "ledger")

    with pytest.raises(TransientError):
        storage.read(path)


def test_what_a_killed_writer_left_is_not_listed_and_goes_away(tmp_path: Path) -> None:
    storage = local_storage(tmp_path)
    storage.write("a/file", b"1")
    (tmp_path / "a" / "other#12345").write_bytes(b"half")

    assert list(storage.paths("a")) == ["a/file"]
    storage.delete_unfinished("a")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file"]


def test_a_stream_that_breaks_leaves_the_earlier_file(tmp_path: Path) -> None:
    storage = local_storage(tmp_path)
    storage.write("a/file", b"before")

    with pytest.raises(KeyError), storage.writer("a/file") as file:
        file.write(b"after")
        raise KeyError

    assert storage.read("a/file") == b"before"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["file"]
