"""What must be at a destination, made from the source's rows by the rules of the feature, without the project's
code.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from job_history.destinations.sumo_logic import join
from simulators.job_store import SampleJob, SampleLine
from simulators.sumo_logic import Message

_ENDED = {"completed": "succeeded", "succeeded": "succeeded", "failed": "failed"}


def expected_documents(jobs: Iterable[SampleJob]) -> dict[str, bytes]:
    """Return key and bytes of each document that these jobs give: of plain jobs, with numbers as ids."""
    documents = {_key(job): _document(job) for job in jobs if job.status in _ENDED and job.completed_at}
    return dict(sorted(documents.items()))


def sumo_logic_documents(messages: Iterable[Message]) -> dict[str, bytes]:
    """Return the documents that the messages carry.

    A repeat must be one of its delivery_id, part for part, byte for byte.
    """
    by_delivery: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for message in messages:
        replication = json.loads(message.text)["replication"]
        by_delivery[replication["delivery_id"]][replication["part"]].add(message.text)
    contents = Counter(len(texts) for parts in by_delivery.values() for texts in parts.values())
    assert set(contents) <= {1}, "one part of one delivery_id came with different bytes"
    return {
        delivery_id: join(text.encode() for texts in parts.values() for text in texts)
        for delivery_id, parts in sorted(by_delivery.items())
    }


def _key(job: SampleJob) -> str:
    assert job.started_at is not None
    start = datetime.fromisoformat(job.started_at)
    padded = f"{job.job_id:021d}"
    pieces = "/".join(padded[place : place + 3] for place in range(0, 21, 3))
    name = f"{job.user_id}-{job.recipe_id}-{job.job_id}-{start:%Y%m%d%H%M%S}-{_ENDED[job.status]}.json"
    return f"{job.user_id}/jobs/{job.recipe_id}/{start:%Y%m%d}/{pieces}/{name}"


def _document(job: SampleJob) -> bytes:
    document = {
        "id": job.job_id,
        "flow_id": job.recipe_id,
        "parent_id": job.parent_id,
        "calling_job_id": job.calling_job_id,
        "status": job.status,
        "started_at": job.started_at,
        "completed_at": job.completed_at,
        "error_type": job.error_type,
        "error": job.error,
        "title": job.title,
        "is_poll_error": job.is_poll_error,
        "report": json.loads(job.report or "null"),
        "lines": [_line(line) for line in job.lines],
    }
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def _line(line: SampleLine) -> dict[str, Any]:
    return {
        "recipe_line_number": line.recipe_line_number,
        "adapter_name": line.adapter_name,
        "adapter_operation": line.adapter_operation,
        "input": json.loads(line.input or "null"),
        "output": json.loads(line.output or "null"),
        "mask_data": line.mask_data,
    }
