"""Very many, very plain jobs, for benchmarks."""

from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

from . import payload
from .rows import SampleJob, SampleLine

_VARIANTS = 64  # of a line's data: all alike would compress far better than real data does
_HEAD_BYTES = 320  # of a document, without lines
_LINE_BYTES = 145  # of a line in a document, without its data
_INPUT = '{"query":"SELECT Id FROM Account"}'
_SEVERAL_LINES_FROM = 2_000


def small_jobs(
    count: int,
    *,
    user_id: int,
    start: datetime,
    end: datetime,
    document_bytes: int = 1_000,
    recipe_id: int = 234,
    first_job_id: int = 1_000_000_000,
) -> Iterator[SampleJob]:
    """`count` succeeded jobs, spread evenly over [start, end), ordered by completion, ids counted up from the first.

    A document has about `document_bytes` bytes (at least 600): one line up to 2 kB, four above.
    """
    random = Random(document_bytes)
    line_count = 1 if document_bytes < _SEVERAL_LINES_FROM else 4
    room = (document_bytes - _HEAD_BYTES) // line_count - _LINE_BYTES - len(_INPUT)
    outputs = [payload.text_object(random, room) for _ in range(_VARIANTS)]
    first = start.timestamp()
    step = (end.timestamp() - first) / count
    second = -1
    started_at = completed_at = ""
    for index in range(count):
        now = int(first + index * step)
        if now != second:
            second = now
            started_at = _text(max(now - 2, 0))
            completed_at = _text(now)
        job_id = first_job_id + index
        yield SampleJob(
            user_id,
            recipe_id,
            job_id,
            None,
            None,
            "completed",
            started_at,
            completed_at,
            None,
            None,
            "Salesforce: new/updated object",
            False,
            '{"name":"Xavier D\'Souza","age":35}',
            tuple(
                SampleLine(
                    user_id,
                    job_id,
                    line,
                    line,
                    "salesforce",
                    "search_sobjects_soql_v2",
                    _INPUT,
                    outputs[(index + line) % _VARIANTS],
                    None,
                    False,
                )
                for line in range(line_count)
            ),
        )


def _text(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%SZ}"
