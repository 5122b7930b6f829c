"""Jobs planted for one situation each, and small jobs for benchmarks."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from simulators.job_store import (
    BROKEN_JOBS,
    SampleJob,
    broken_jobs,
    example_job,
    oversize_job,
    plain_job,
    small_jobs,
)

DAY = datetime(2018, 5, 21, tzinfo=UTC)
HOUR = timedelta(hours=1)
VECTORS = Path(__file__).parents[2] / "vectors"


def document_bytes(job: SampleJob) -> int:
    """The size of the job's document, measured with nothing but the standard library."""
    columns = {name: value for name, value in job._asdict().items() if name not in {"user_id", "report", "lines"}}
    columns["report"] = job.report and json.loads(job.report)
    columns["lines"] = [
        {
            "recipe_line_number": line.recipe_line_number,
            "adapter_name": line.adapter_name,
            "adapter_operation": line.adapter_operation,
            "input": line.input and json.loads(line.input),
            "output": line.output and json.loads(line.output),
            "mask_data": line.mask_data,
        }
        for line in job.lines
    ]
    return len(json.dumps(columns, ensure_ascii=False, separators=(",", ":")).encode())


def test_the_example_is_the_one_of_the_feature_page() -> None:
    record = json.loads((VECTORS / "example_of_the_feature_page" / "record.json").read_text())
    job = example_job()
    lines = [line._asdict() for line in job.lines]
    for line in lines:
        assert (line.pop("user_id"), line.pop("job_id"), line.pop("line_index")) == (
            5234,
            100,
            line["recipe_line_number"],
        )
    assert {name: value for name, value in job._asdict().items() if name != "lines"} == record["job"]
    assert lines == record["lines"]


def test_each_broken_job_differs_from_a_plain_one_by_its_name() -> None:
    def differences(name: str) -> list[dict[str, object]]:
        plain = plain_job(5234, DAY)._asdict()
        return [
            {
                key: value
                for key, value in job._asdict().items()
                if value != plain[key] and key not in {"job_id", "lines"}
            }
            for job in broken_jobs(name, 5234, DAY)
        ]

    assert {name: differences(name) for name in BROKEN_JOBS} == {
        "bad_json_in_report": [{"report": '{"name":"Xavier D'}],
        "bad_json_in_line_output": [{}],
        "null_started_at": [{"started_at": None}],
        "unparsable_started_at": [{"started_at": "yesterday at noon"}],
        "id_of_22_digits": [{}],
        "id_with_slash": [{}],
        "completed_before_started": [{"started_at": "2018-05-21T00:30:10Z", "completed_at": "2018-05-21T00:30:00Z"}],
        "duplicate_job_id": [{}, {"title": "hello again"}],
    }
    ids = {name: [job.job_id for job in broken_jobs(name, 5234, DAY)] for name in BROKEN_JOBS}
    assert ids["id_of_22_digits"] == ["1234567890123456789012"]
    assert ids["id_with_slash"] == ["../../9999/jobs/1"]
    assert len(set(ids["duplicate_job_id"])) == 1
    assert broken_jobs("bad_json_in_line_output", 5234, DAY)[0].lines[1].output == '{"ratio":NaN}'


def test_an_oversize_job_is_slightly_over_the_limit() -> None:
    assert 40_000_000 < document_bytes(oversize_job(5234, DAY)) < 40_200_000
    assert document_bytes(oversize_job(5234, DAY, size=500_000)) == pytest.approx(505_000, rel=0.01)


@pytest.mark.parametrize("wanted", [1_000, 4_000])
def test_small_jobs_are_many_alike_and_evenly_spread(wanted: int) -> None:
    jobs = list(small_jobs(7_200, user_id=9, start=DAY, end=DAY + HOUR, document_bytes=wanted))
    sizes = {document_bytes(job) for job in jobs[:200]}
    assert (len(jobs), jobs[0].completed_at, jobs[-1].completed_at) == (
        7_200,
        "2018-05-21T00:00:00Z",
        "2018-05-21T00:59:59Z",
    )
    assert set(Counter(job.completed_at for job in jobs).values()) == {2}
    assert (min(sizes), max(sizes)) == (pytest.approx(wanted, rel=0.05), pytest.approx(wanted, rel=0.05))
    assert len({job.lines[0].output for job in jobs}) == 64
