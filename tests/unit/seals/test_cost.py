"""What sealing costs: requests for each chain, counted where they are made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.sealing import Installation, jobs_of

from job_history.storage import Storage, local_storage


class CountingStorage(Storage):
    def __init__(self, folder: Path) -> None:
        counted = local_storage(folder)
        super().__init__(counted.files, counted.root)
        self.requests: Counter[str] = Counter()

    def create(self, path: str, content: bytes) -> bool:
        self.requests["create"] += 1
        return super().create(path, content)

    def read(self, path: str) -> bytes | None:
        self.requests["read"] += 1
        return super().read(path)

    def paths(self, below: str) -> Iterator[str]:
        self.requests["list"] += 1
        return super().paths(below)

    def write(self, path: str, content: bytes) -> None:
        self.requests["write"] += 1
        super().write(path, content)


@pytest.mark.parametrize(
    ("jobs", "ledger", "bucket"),
    [
        # Revision, sums, signature, seal, mark. Read: the status twice, a receipt of version 1 and a second revision,
        # as without seals but for one; the item list, the sums, and of the bucket the last seal that was copied and the
        # one after it.
        ((1, 2), {"create": 5, "read": 7, "list": 1, "write": 1}, {"create": 3, "read": 2}),
        ((), {"create": 4, "read": 5, "list": 1, "write": 1}, {"create": 2, "read": 2}),
    ],
)
def test_an_hour_of_a_chain_takes_few_requests(
    tmp_path: Path, jobs: tuple[int, ...], ledger: dict[str, int], bucket: dict[str, int]
) -> None:
    one = Installation(tmp_path, storage_of=CountingStorage)
    one.run(0, jobs_of(0, 9))
    one.deliver(jobs_of(1, *jobs))
    receipt = one.receipt(1, jobs_of(1, *jobs), "run")
    assert isinstance(one.ledger, CountingStorage)
    assert isinstance(one.bucket, CountingStorage)
    one.ledger.requests.clear()
    one.bucket.requests.clear()
    one.report([receipt])
    assert (dict(one.ledger.requests), dict(one.bucket.requests)) == (ledger, bucket)
