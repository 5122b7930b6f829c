"""The findings of a reconciliation: only windows in which it found something."""

from __future__ import annotations

import msgspec

from job_history.ledger.lateness import Lateness, all_of
from job_history.ledger.open_windows import OpenWindow
from job_history.ledger.receipt import WindowState
from job_history.ledger.status_file import AccountStatus
from job_history.model.event_kind import EventKind
from job_history.model.window import Window

MAX_EXAMPLES = 5
OPEN = "open"
"""The state of a window that has no receipt."""


class Objects(msgspec.Struct):
    """The number of some objects, and examples of their keys."""

    count: int = 0
    keys: list[str] = []

    def add(self, key: str) -> None:
        self.count += 1
        if len(self.keys) < MAX_EXAMPLES:
            self.keys = [*self.keys, key]


class WindowFinding(msgspec.Struct, kw_only=True):
    """One window; those outside the look-back are open ones that were marked. `compared`: its receipt was compared with
    the source.

    `missing`: listed by the source and in no receipt; `gone`: in the receipt and no longer listed. `lost` and
    `altered`: in the bucket. `state` is the receipt's, or `open`. Examples are ids of missing jobs, and keys of lost or
    altered objects. `lateness`: of its receipt. `is_run`: this reconciliation runs the window again.
    """

    user_id: int
    name: str
    kind: EventKind
    window: Window
    state: str
    compared: bool = False
    missing: int = 0
    gone: int = 0
    lost: int = 0
    altered: int = 0
    missing_ids: list[str] = []
    damaged_keys: list[str] = []
    lateness: Lateness | None = None
    is_run: bool = False

    @property
    def label(self) -> str:
        return f"account {self.kind.label(self.user_id, self.name)}, window {self.window}"

    @property
    def damaged(self) -> int:
        return self.lost + self.altered

    @property
    def is_any(self) -> bool:
        """Whether there is something to report, or to run again."""
        is_open = self.state in {OPEN, WindowState.FAILED, WindowState.UNRECOVERABLE}
        return bool(self.missing or self.gone or self.damaged or is_open)


class DamagedObject(msgspec.Struct):
    """An object that was lost or altered when it was looked for, and the window that delivered it."""

    user_id: int
    kind: EventKind
    window: Window
    key: str


class Findings(msgspec.Struct, kw_only=True):
    """For one kind of destination: `compared` windows with their sources, and `objects` with their buckets.

    `lateness`: of the windows that are not run again (of those without a finding, until the windows are chosen).
    `damages`: the staged files of the lost and altered objects. `faults`: a message for each account that could not be
    compared. `accounts`: the status of each account by its receipts of the look-back; `not_compared`: the keys of those
    with such a fault, of the receipts or the source; `behind`: user_ids to look back for further, also because of their
    objects, or because their entry in the Variable cannot be used. `left_to_hourly`: hours that an hourly run does.
    `resting`: the number of open windows of each account that is paused or no longer in the Variable. `unknown`:
    objects that no receipt names, by account. `looks_back`: these are all accounts over the look-back, not what a run
    by hand asked for. `is_readable`: the destination can be listed.
    """

    destination: str
    window: Window
    windows: list[WindowFinding] = []
    compared: int = 0
    objects: int = 0
    lateness: Lateness = msgspec.field(default_factory=Lateness)
    faults: list[str] = []
    repair: bool = False
    accounts: list[AccountStatus] = []
    not_compared: set[str] = set()
    behind: set[int] = set()
    left_to_hourly: list[Window] = []
    resting: dict[str, int] = {}
    unknown: dict[str, Objects] = {}
    looks_back: bool = False
    is_readable: bool = False
    damages: list[str] = []

    def repairs(self, finding: WindowFinding) -> bool:
        """Return whether this reconciliation repairs the objects of a window."""
        return self.repair and finding.damaged > 0

    def not_compare(self, user_id: int, name: str, kind: EventKind, problem: str) -> None:
        """Note that an account could not be compared, and why."""
        self.not_compared.add(f"{user_id}/{kind}")
        self.behind.add(user_id)
        self.faults.append(f"Account {kind.label(user_id, name)}: {problem}")

    def add(self, other: Findings) -> None:
        """Add the findings of other accounts with this kind of destination."""
        self.windows += other.windows
        self.compared += other.compared
        self.objects += other.objects
        self.lateness = all_of([self.lateness, other.lateness])
        self.faults += other.faults
        self.accounts += other.accounts
        self.not_compared |= other.not_compared
        self.behind |= other.behind
        self.unknown |= other.unknown
        self.damages += other.damages

    def to_run(self) -> set[OpenWindow]:
        return {OpenWindow(each.user_id, each.kind, each.window) for each in self.windows if each.is_run}
