"""How much of its half hour a plan may use for what, over all kinds of destination together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

# Of sources that answer: ten thousand accounts of an API take longer than a plan has.
COUNT_SECONDS = 840.0
# An unreachable database takes about 2 minutes for each connection. After this time the remaining windows are planned
# uncounted; their extract tasks count them.
FAILED_COUNT_SECONDS = 600.0
UNPLACEABLE_SECONDS = 240.0
# A thousand new accounts at a store that does not answer must not use up the time of the plan.
PREFLIGHT_SECONDS = 420.0
# Nothing waits for these: the rest is checked in the hours that follow.
IDLE_PREFLIGHT_SECONDS = 30.0


@dataclass
class Budget:
    """What is left of a time, in seconds."""

    left: float

    @contextmanager
    def spent(self, clock: Callable[[], float]) -> Iterator[Callable[[], bool]]:
        """Take the time of the block off. Yields what returns whether nothing is left. `clock` is in seconds."""
        began = clock()
        try:
            yield lambda: clock() - began > self.left
        finally:
            self.left -= clock() - began


@dataclass(frozen=True)
class TimeOfPlan:
    """`one_question`: makes a context in which a source may take so long for an answer; it raises an Exception.
    `batches`: for counting accounts of one source together; this is part of `counts`. `failed_counts`: for counts of
    single accounts that fail. `preflights`: of accounts with slices, and of `idle` ones.
    """

    one_question: Callable[[], AbstractContextManager[None]] = nullcontext
    counts: Budget = field(default_factory=lambda: Budget(COUNT_SECONDS))
    batches: Budget = field(default_factory=lambda: Budget(FAILED_COUNT_SECONDS))
    failed_counts: Budget = field(default_factory=lambda: Budget(FAILED_COUNT_SECONDS))
    unplaceable: Budget = field(default_factory=lambda: Budget(UNPLACEABLE_SECONDS))
    preflights: Budget = field(default_factory=lambda: Budget(PREFLIGHT_SECONDS))
    idle_preflights: Budget = field(default_factory=lambda: Budget(IDLE_PREFLIGHT_SECONDS))
