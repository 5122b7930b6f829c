"""What a user would otherwise use: programs of others, each in its own environment, made once from PyPI.

All read the same rows: one for each job, with its lines as a JSON array.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from tests.support.client_environments import python_environment

HERE = Path(__file__).parent
UPLOADS_AT_A_TIME = 64
QUERY = """SELECT j.job_id AS id, j.recipe_id AS flow_id, j.parent_id, j.calling_job_id, j.status, j.started_at,
    j.completed_at, j.error_type, j.error, j.title, j.is_poll_error, j.report, (
        SELECT json_agg(json_build_object(
            'recipe_line_number', l.recipe_line_number, 'adapter_name', l.adapter_name,
            'adapter_operation', l.adapter_operation, 'input', l.input, 'output', l.output, 'mask_data', l.mask_data
        ) ORDER BY l.line_index)
        FROM job_history_lines l WHERE l.user_id = j.user_id AND l.job_id = j.job_id
    ) AS lines
    FROM job_history_jobs j
    WHERE j.user_id = {user_id} AND j.completed_at >= '{start}' AND j.completed_at < '{end}'
    LIMIT {limit}"""


@dataclass(frozen=True)
class Job:
    """A peer's task: put the rows of a query into a bucket. `folder` is for its own files."""

    database_uri: str
    query: str
    store_url: str
    bucket: str
    access_key: str
    secret_key: str
    folder: Path


@dataclass(frozen=True)
class Command:
    """A command, and what is added to our environment for it."""

    words: list[str]
    environment: dict[str, str]


def singer(job: Job) -> Command:
    """A tap of ours, and Singer's `target-s3-jsonl` with a file for each record."""
    config = job.folder / "target.json"
    config.write_text(
        json.dumps(
            {
                "s3_bucket": job.bucket,
                "aws_endpoint_url": job.store_url,
                "aws_access_key_id": job.access_key,
                "aws_secret_access_key": job.secret_key,
                "file_size": 1,
                "path_template": "{stream}-{part:012d}.json",
                "work_dir": str(job.folder / "work"),
            }
        )
    )
    python = python_environment(HERE / "singer.txt")
    tap = [str(python), str(HERE / "singer_tap.py"), job.database_uri, job.query]
    pipe = '"$1" "$2" "$3" "$4" | "$5" --config "$6"'
    words = ["bash", "-o", "pipefail", "-c", pipe, "pipe", *tap, str(python.with_name("target-s3-jsonl")), str(config)]
    return Command(words, {"AWS_DEFAULT_REGION": "us-east-1"})


def sling(job: Job) -> Command:
    """The command `sling run` with `file_max_rows: 1`.

    Raises FileNotFoundError if there is no wheel for this platform.
    """
    library = python_environment(HERE / "sling.txt").parents[1] / "lib"
    program = next(library.glob("python*/site-packages/sling_*/bin/sling-*"), None)
    if program is None:
        raise FileNotFoundError("sling has no wheel for this platform")
    program.chmod(0o755)
    words = ["run", "--src-conn", "SOURCE", "--src-stream", " ".join(job.query.split()), "--tgt-conn", "TARGET"]
    options = {"format": "jsonlines", "file_max_rows": 1}
    target = {
        "type": "s3",
        "bucket": job.bucket,
        "access_key_id": job.access_key,
        "secret_access_key": job.secret_key,
        "endpoint": job.store_url,
        "region": "us-east-1",
    }
    return Command(
        [str(program), *words, "--tgt-object", "jobs", "--tgt-options", json.dumps(options)],
        {
            "SOURCE": f"{job.database_uri}&sslmode=disable",
            "TARGET": json.dumps(target),
            "HOME": str(job.folder),
            "SLING_DISABLE_TELEMETRY": "TRUE",
        },
    )


def dlt(job: Job) -> Command:
    """A dlt pipeline with its filesystem destination, a file for each row."""
    words = [str(python_environment(HERE / "dlt.txt")), str(HERE / "dlt_load.py"), job.database_uri, job.query]
    return Command(
        words,
        {
            "HOME": str(job.folder),
            # It looks for files of an earlier run.
            "DESTINATION__FILESYSTEM__BUCKET_URL": f"s3://{job.bucket}/{job.folder.name}",
            "CREDENTIALS__AWS_ACCESS_KEY_ID": job.access_key,
            "CREDENTIALS__AWS_SECRET_ACCESS_KEY": job.secret_key,
            "CREDENTIALS__REGION_NAME": "us-east-1",
            "CREDENTIALS__ENDPOINT_URL": job.store_url,
            "NORMALIZE__DATA_WRITER__FILE_MAX_ITEMS": "1",
            "NORMALIZE__DATA_WRITER__DISABLE_COMPRESSION": "true",
            "LOAD__WORKERS": str(UPLOADS_AT_A_TIME),
            "RUNTIME__DLTHUB_TELEMETRY": "false",
        },
    )


def sumo_logic_sdk(url: str) -> Command:
    """Sumo Logic's own SDK for Python, which reads the documents from stdin."""
    return Command([str(python_environment(_SUMO_LOGIC_CLIENTS)), str(HERE / "sumo_logic_sdk.py"), url], {})


_SUMO_LOGIC_CLIENTS = HERE.parents[1] / "support" / "sumo_logic_clients" / "requirements.txt"
