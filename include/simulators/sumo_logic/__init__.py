"""A local Sumo Logic HTTP Logs source: as strict as the service's documents, and no stricter.

In a thread: `with local_source(max_message_bytes=262_144) as source: ...`; as a process: `source_process(...)`, or
`python -m simulators.sumo_logic`. If the vendor's documents leave something open, the module states what was chosen.
"""

from .faults import (
    Break,
    Fault,
    cut_answer,
    dropped,
    redirect,
    reset_after_ingest,
    reset_before_ingest,
    slow,
    timed_out,
    warning,
)
from .process import SourceProcess, source_process
from .records import Kind, Message, ReceivedRequest, Slice
from .server import LocalSource, local_source
from .settings import SourceSettings, Storage

__all__ = [
    "Break",
    "Fault",
    "Kind",
    "LocalSource",
    "Message",
    "ReceivedRequest",
    "Slice",
    "SourceProcess",
    "SourceSettings",
    "Storage",
    "cut_answer",
    "dropped",
    "local_source",
    "redirect",
    "reset_after_ingest",
    "reset_before_ingest",
    "slow",
    "source_process",
    "timed_out",
    "warning",
]
