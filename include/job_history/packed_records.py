"""Many records in little memory: packed, some hundred at a time. A record of a few kilobytes takes a few hundred bytes,
because most of what the records of a run have is the same.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from typing import Generic, TypeVar

import msgspec

Record = TypeVar("Record")
Key = TypeVar("Key", bound=Hashable)

RECORDS_IN_A_PACK = 256


class PackedRecords(Collection[Record], Generic[Record]):
    """A list to append to and to go through, as often as needed; each time, the records are made again.

    `kind`: a type that msgspec encodes and decodes without loss.
    """

    def __init__(self, kind: type[Record], records: Iterable[Record] = (), *, packs: Iterable[bytes] = ()) -> None:
        """`packs`: those of another one, which come first."""
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]
        self._packs = list(packs)
        self._last: list[Record] = []
        for record in records:
            self.append(record)

    def append(self, record: Record) -> None:
        self._last.append(record)
        if len(self._last) == RECORDS_IN_A_PACK:
            self._packs, self._last = self.packs, []

    @property
    def packs(self) -> list[bytes]:
        """All records, packed."""
        return [*self._packs, zlib.compress(self._encoder.encode(self._last), 1)]

    def __iter__(self) -> Iterator[Record]:
        for pack in self._packs:
            yield from self._decoder.decode(zlib.decompress(pack))
        yield from self._last

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, record: object) -> bool:
        return any(each == record for each in self)


def in_groups(records: Collection[Record], key_of: Callable[[Record], Key]) -> Iterator[tuple[Key, list[Record]]]:
    """Yield the records that have the same key together, as soon as all of them have been met."""
    numbers = Counter(map(key_of, records))
    met: dict[Key, list[Record]] = {}
    for record in records:
        key = key_of(record)
        met.setdefault(key, []).append(record)
        if len(met[key]) == numbers[key]:
            yield key, met.pop(key)
