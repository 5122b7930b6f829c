"""A local Workato API over the sample job store's jobs: the documented endpoints, in a time that can be set.

In a thread: `with local_workato(workspaces=[Workspace(user_id=5234, jobs=jobs)], now=noon) as api: ...`; as a process:
`workato_process(store)`, or `python -m simulators.workato --store PATH`. As the public API it has neither the input nor
the output of a step. If the vendor's documents leave something open, the module states what was chosen.
"""

from .faults import Break, Fault, cut_answer, reset, slow, throttled, truncated
from .process import WorkatoProcess, workato_process
from .records import ReceivedRequest, busiest
from .server import LocalWorkato, local_workato
from .settings import ApiSettings, Counters, Moment
from .store import workspaces_of
from .workspace import Delay, Partner, SampleRecipe, Workspace

__all__ = [
    "ApiSettings",
    "Break",
    "Counters",
    "Delay",
    "Fault",
    "LocalWorkato",
    "Moment",
    "Partner",
    "ReceivedRequest",
    "SampleRecipe",
    "WorkatoProcess",
    "Workspace",
    "busiest",
    "cut_answer",
    "local_workato",
    "reset",
    "slow",
    "throttled",
    "truncated",
    "workato_process",
    "workspaces_of",
]
