"""An hour of an account with twelve jobs of 300 kB, of which four make two requests to Sumo Logic, and one that counts
for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from tests.support.oracle import expected_documents

from simulators.job_store import SampleJob, plain_job

USER_ID, TAKEN = 5234, 12
START = datetime(2018, 5, 21, tzinfo=UTC)
OUTPUT = f'{{"text":"{"x" * 300_000}"}}'


def jobs() -> Iterator[SampleJob]:
    for number in range(1, TAKEN + 1):
        job = plain_job(USER_ID, START, number)
        yield job._replace(lines=(job.lines[0], job.lines[1]._replace(output=OUTPUT)))
    yield plain_job(USER_ID, START, 100)._replace(status="aborted")


EXPECTED = expected_documents(jobs())
