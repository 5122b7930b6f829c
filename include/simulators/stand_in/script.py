"""The faults that a stand-in is set to answer to its next requests, one by one."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec

FaultT = TypeVar("FaultT", bound=msgspec.Struct)


class FaultScript(Generic[FaultT]):
    """The faults of the next requests, in order; after the last one, requests succeed again.

    `fault`: the struct of a fault, whose defaults mean that nothing happens. Safe between threads.
    """

    def __init__(self, fault: type[FaultT]) -> None:
        self._fault = fault
        self._faults: list[FaultT] = []
        self._lock = threading.Lock()

    def extend(self, faults: Sequence[FaultT | int]) -> None:
        """Append faults; a bare number is the fault with that HTTP status. Raises ValueError for a wrong value."""
        values = [{"status": each} if isinstance(each, int) else msgspec.to_builtins(each) for each in faults]
        checked = msgspec.convert(values, list[self._fault])  # type: ignore[name-defined]
        with self._lock:
            self._faults.extend(checked)

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def next(self, is_meant: Callable[[FaultT], object] = lambda _: True) -> FaultT:
        """Take the first fault that is meant for the request."""
        with self._lock:
            for index, fault in enumerate(self._faults):
                if is_meant(fault):
                    return self._faults.pop(index)
            return self._fault()

    def __len__(self) -> int:
        return len(self._faults)
