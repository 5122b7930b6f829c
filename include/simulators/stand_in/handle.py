"""The handle of a stand-in that runs in this process."""

from collections.abc import Sequence
from typing import Any

import msgspec

from .control import Controlled


class LocalHandle:
    """What a test does with any stand-in; `StandInProcess` offers the same."""

    def __init__(self, stand_in: Controlled) -> None:
        self._stand_in = stand_in

    def script(self, faults: Sequence[msgspec.Struct | int]) -> None:
        """What happens to the next requests, one by one; a bare number is a status. Raises ValueError."""
        self._stand_in.script.extend(faults)

    def recover(self) -> None:
        """Forget what was scripted; what arrived stays."""
        self._stand_in.script.clear()

    def change(self, **settings: Any) -> None:
        """Change settings while it runs; raises ValueError."""
        self._stand_in.change(settings)

    def reset(self) -> None:
        """Forget what came in, what was scripted, and what was used of quotas."""
        self._stand_in.reset()
