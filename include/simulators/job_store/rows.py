"""The rows of the three relations of a job store, as `include/job_history`'s SQL source reads them."""

from typing import NamedTuple


class SampleLine(NamedTuple):
    """One executed step. `input` and `output` are JSON text; `error` is text, whatever it holds."""

    user_id: int
    job_id: int | str
    line_index: int
    recipe_line_number: int
    adapter_name: str
    adapter_operation: str
    input: str | None
    output: str | None
    error: str | None
    mask_data: bool


class SampleJob(NamedTuple):
    """One job and its lines. Times are ISO 8601 text with an offset; `report` is JSON text."""

    user_id: int
    recipe_id: int
    job_id: int | str
    parent_id: int | str | None
    calling_job_id: int | str | None
    status: str
    started_at: str | None
    completed_at: str | None
    error_type: str | None
    error: str | None
    title: str
    is_poll_error: bool
    report: str | None
    lines: tuple[SampleLine, ...]

    @property
    def row(self) -> tuple[int | str | None, ...]:
        """The job's own columns, in the order of the relation."""
        return self[:-1]  # all but the lines, which are last


class SampleEvent(NamedTuple):
    """One admin event. `details`, `actor`, `team` and `resource` are JSON text."""

    user_id: int
    event_id: int | str | None
    event: str
    details: str | None
    actor: str | None
    team: str | None
    resource: str | None
    occurred_at: str


JOB_COLUMNS = SampleJob._fields[:-1]
LINE_COLUMNS = SampleLine._fields
EVENT_COLUMNS = SampleEvent._fields
