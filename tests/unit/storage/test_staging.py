"""Staged files: whole, or known not to be."""

from pathlib import Path
from random import Random

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.samples import line, record

from job_history.errors import PermanentError, TransientError
from job_history.model.job import JobRecord
from job_history.storage import Storage, local_storage
from job_history.storage.staging import staged_records, staged_writer

PATH = "run/5234/jobs.jsonl.zst"
CHECKSUM_BYTES = 4  # at the end of a frame of zstd


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return local_storage(tmp_path)


def stage(storage: Storage, records: list[JobRecord]) -> None:
    with staged_writer(storage, PATH) as writer:
        for each in records:
            writer.append(each)
    assert writer.records == len(records)


def read(storage: Storage, path: str = PATH) -> list[JobRecord]:
    return list(staged_records(storage, path, JobRecord))


@given(
    st.lists(
        st.builds(
            record,
            job_id=st.integers(-(2**70), 10**22) | st.text(max_size=5) | st.none(),
            title=st.none() | st.text(alphabet=st.characters(exclude_categories=["Cs"])),
            report=st.sampled_from([None, "{}", '{"staged_records":0}', r'"\ud83d"', "no JSON\n"]),
            lines=st.none() | st.lists(st.builds(line, error=st.none() | st.text(max_size=3)), max_size=3),
            extra=st.dictionaries(st.text(max_size=3), st.just("1")),
        ),
        max_size=20,
    )
)
def test_what_is_staged_is_read_again(tmp_path_factory: pytest.TempPathFactory, records: list[JobRecord]) -> None:
    storage = local_storage(tmp_path_factory.getbasetemp() / "round-trip")
    stage(storage, records)
    assert read(storage) == records


def test_a_file_that_was_cut_short_at_any_byte_is_known(storage: Storage, tmp_path: Path) -> None:
    # Larger than a block of zstd, so that whole records come out before the cut.
    random = Random(1)
    records = [record(job_id=number, title="".join(random.choices("abcdefgh01", k=900))) for number in range(400)]
    stage(storage, records)
    whole = (tmp_path / PATH).read_bytes()
    assert len(whole) > 150_000
    for size in [*range(30), *range(500, len(whole), 4_999), *range(len(whole) - 30, len(whole) - CHECKSUM_BYTES)]:
        storage.write("cut", whole[:size])
        with pytest.raises(TransientError, match=r"/cut is not whole: \d+ records, then no valid count of them\."):
            read(storage, "cut")
    for size in range(len(whole) - CHECKSUM_BYTES, len(whole) + 1):
        storage.write("cut", whole[:size])
        assert read(storage, "cut") == records, "only the checksum is missing"


def test_message_has_a_fix(storage: Storage, tmp_path: Path) -> None:
    stage(storage, [record()])
    (tmp_path / PATH).write_bytes((tmp_path / PATH).read_bytes()[:-5])
    with pytest.raises(TransientError) as refused:
        read(storage)
    assert str(refused.value) == (
        f"file://{tmp_path}/{PATH} is not whole: 0 records, then no valid count of them. Clear the task that made it "
        "(and those downstream) for this account."
    )


def test_a_file_in_which_any_byte_has_changed_is_known(storage: Storage, tmp_path: Path) -> None:
    stage(storage, [record(job_id=number) for number in range(5)])
    whole = (tmp_path / PATH).read_bytes()
    unnoticed = []
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 0x55
        storage.write("damaged", bytes(damaged))
        try:
            unnoticed.append((place, read(storage, "damaged") == read(storage)))
        except TransientError:
            continue
    # The size of the window in the header of the frame, which may be larger than it must.
    assert unnoticed == [(5, True)]


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([b'{"staged_records":0}'], id="a count that is too low"),
        pytest.param([b'{"staged_records":2}'], id="a count that is too high"),
        pytest.param([], id="no count"),
        pytest.param([b'{"staged_records":1}', b"{}"], id="something after the count"),
        pytest.param([b'{"job_id":1}', b'{"staged_records":2}'], id="a record of another kind"),
    ],
)
def test_the_count_must_be_right_and_last(storage: Storage, lines: list[bytes]) -> None:
    content = b"".join(part + b"\n" for part in [msgspec.json.encode(record()), *lines])
    storage.write(PATH, zstandard.compress(content))
    with pytest.raises(TransientError):
        read(storage)


def test_an_exception_in_the_middle_leaves_nothing_that_could_be_read(storage: Storage) -> None:
    with pytest.raises(KeyError), staged_writer(storage, PATH) as writer:
        writer.append(record())
        raise KeyError
    with pytest.raises((TransientError, PermanentError)):
        read(storage)


def test_missing_file_names_the_task_to_clear(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(PermanentError) as refused:
        read(storage)
    assert str(refused.value) == (
        f"file://{tmp_path}/{PATH} is gone, so this step has nothing to work on. Clear the run's extract task of this "
        "account as well, so that it is made again."
    )


def test_records_stream(storage: Storage) -> None:
    stage(storage, [record(job_id=number) for number in range(1_000)])
    stream = staged_records(storage, PATH, JobRecord)
    assert [next(stream).job_id, next(stream).job_id] == [0, 1]
    stream.close()
