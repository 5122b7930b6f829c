"""Jobs for one situation each, to be planted among others: each function returns rows for one account and hour.

All of them complete within the hour that begins at `hour`, so that a replication of that hour meets them.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

from . import payload
from .rows import SampleJob, SampleLine

_OVERSIZE_LINES = 41


def example_job() -> SampleJob:
    """The example of the feature page: job 100 of recipe 234 of account 5234."""
    steps = (
        ("timer", '{"interval":"1"}', '{"time":"2018-05-21T23:14:41.783555+00:00"}'),
        ("get_time", "{}", '{"time":"2018-05-21T16:14:41.963964-07:00"}'),
    )
    return SampleJob(
        user_id=5234,
        recipe_id=234,
        job_id=100,
        parent_id=None,
        calling_job_id=None,
        status="completed",
        started_at="2018-05-21T00:00:00Z",
        completed_at="2018-05-21T00:00:10Z",
        error_type=None,
        error=None,
        title="hello world",
        is_poll_error=False,
        report='{"name":"Xavier D\'Souza","age":35}',
        lines=tuple(
            SampleLine(5234, 100, index, index, "clock", operation, given, made, None, mask_data=False)
            for index, (operation, given, made) in enumerate(steps)
        ),
    )


def plain_job(user_id: int, hour: datetime, job_id: int | str = 900_001) -> SampleJob:
    """A job with nothing special: the example's, in another account and hour."""
    job = example_job()
    start = hour.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(minutes=30)
    return job._replace(
        user_id=user_id,
        job_id=job_id,
        started_at=f"{start:%Y-%m-%dT%H:%M:%SZ}",
        completed_at=f"{start + timedelta(seconds=10):%Y-%m-%dT%H:%M:%SZ}",
        lines=tuple(line._replace(user_id=user_id, job_id=job_id) for line in job.lines),
    )


def oversize_job(user_id: int, hour: datetime, *, size: int = 40_100_000) -> SampleJob:
    """A job whose lines hold `size` bytes of JSON: by default a document slightly over the limit of 40 MB."""
    job = plain_job(user_id, hour, 900_002)
    random = Random(size)
    part = size // _OVERSIZE_LINES
    output = payload.text_object(random, part)
    last = payload.text_object(random, size - part * (_OVERSIZE_LINES - 1))
    lines = tuple(
        SampleLine(user_id, job.job_id, index, index, "csv_parser", "parse_csv", None, data, None, mask_data=False)
        for index, data in enumerate([output] * (_OVERSIZE_LINES - 1) + [last])
    )
    return job._replace(title="CSV files: new file everything.csv", lines=lines)


def bad_json_in_report(user_id: int, hour: datetime) -> list[SampleJob]:
    """A report that was cut off. Needs `json_type="text"` in PostgreSQL."""
    return [plain_job(user_id, hour, 900_011)._replace(report='{"name":"Xavier D')]


def bad_json_in_line_output(user_id: int, hour: datetime) -> list[SampleJob]:
    """A line's output with NaN, which is no JSON. Needs `json_type="text"` in PostgreSQL."""
    job = plain_job(user_id, hour, 900_012)
    return [job._replace(lines=(job.lines[0], job.lines[1]._replace(output='{"ratio":NaN}')))]


def null_started_at(user_id: int, hour: datetime) -> list[SampleJob]:
    """A finished job without a start, so without a key."""
    return [plain_job(user_id, hour, 900_013)._replace(started_at=None)]


def unparsable_started_at(user_id: int, hour: datetime) -> list[SampleJob]:
    """A start that is no time. SQLite only: PostgreSQL refuses it."""
    return [plain_job(user_id, hour, 900_014)._replace(started_at="yesterday at noon")]


def id_of_22_digits(user_id: int, hour: datetime) -> list[SampleJob]:
    """An id longer than the 21 digits that a key has room for."""
    return [plain_job(user_id, hour, "1234567890123456789012")]


def id_with_slash(user_id: int, hour: datetime) -> list[SampleJob]:
    """An id that would climb out of its folder, were it put into a key."""
    return [plain_job(user_id, hour, "../../9999/jobs/1")]


def completed_before_started(user_id: int, hour: datetime) -> list[SampleJob]:
    """A job that ends before it begins: it completes at half past, and starts ten seconds later."""
    job = plain_job(user_id, hour, 900_017)
    return [job._replace(started_at=job.completed_at, completed_at=job.started_at)]


def duplicate_job_id(user_id: int, hour: datetime) -> list[SampleJob]:
    """Two jobs of one id and start, so of one key, with different titles."""
    job = plain_job(user_id, hour, 900_018)
    return [job, job._replace(title="hello again", lines=())]


BROKEN_JOBS: dict[str, Callable[[int, datetime], list[SampleJob]]] = {
    function.__name__: function
    for function in (
        bad_json_in_report,
        bad_json_in_line_output,
        null_started_at,
        unparsable_started_at,
        id_of_22_digits,
        id_with_slash,
        completed_before_started,
        duplicate_job_id,
    )
}


def broken_jobs(name: str, user_id: int, hour: datetime) -> list[SampleJob]:
    """The rows of one broken situation; `name` is a key of `BROKEN_JOBS`, else KeyError."""
    return BROKEN_JOBS[name](user_id, hour)
