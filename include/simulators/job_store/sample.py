"""A sample of jobs as an integration platform would hold them: the same for the same seed, account and hour, always."""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from random import Random
from typing import Literal, NamedTuple

from . import payload, recipes
from .clock import Moment, hours, moment, write
from .rows import SampleJob, SampleLine

_EPOCH = datetime(2010, 1, 1, tzinfo=UTC)
_IDS_PER_HOUR = 100_000  # more jobs in an hour than this would take the ids of the next
_HANDLE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
_POLL_ERROR_PERCENT = 5
_REPEAT_PERCENT = 4
_MASKED_PERCENT = 6
_OTHER_PERCENTS = (("pending", 3), ("aborted", 1), ("cancelled", 1))


class Style(NamedTuple):
    """How an account's jobs look.

    `handles`: ids such as `j-KGAKfhsz-GYoLeD` instead of numbers. `success`: the platform's word for it.
    `lines`: how much data a line holds. `failed_percent`: how many of a hundred jobs fail.
    """

    handles: bool = False
    success: Literal["completed", "succeeded"] = "completed"
    lines: Literal["usual", "big"] = "usual"
    failed_percent: int = 8


class _Plan(NamedTuple):
    """What is known of a job before its lines are made."""

    number: int
    recipe_id: int
    status: str
    moment: Moment


def sample_jobs(
    seed: int,
    user_id: int,
    *,
    recipe_ids: Sequence[int],
    start: datetime,
    end: datetime,
    jobs_per_hour: float,
    style: Style = Style(),  # noqa: B008 immutable
) -> Iterator[SampleJob]:
    """The jobs that end in [start, end), and those that begin in it and still run, ordered by that time.

    Jobs of every status are among them: `style.success`, failed, pending, aborted and cancelled. The window may be
    cut anywhere: its pieces have the same jobs. An hour has up to a fifth more or fewer jobs than `jobs_per_hour`.
    """
    for hour in hours(start, end):
        name = f"{seed}/{user_id}/{hour:%Y-%m-%dT%H}"
        plans = _plans(Random(name), hour, recipe_ids, jobs_per_hour, style)
        for plan in plans:
            if start <= plan.moment.seen_at < end:
                yield _job(name, user_id, plan, style)


def _plans(
    random: Random, hour: datetime, recipe_ids: Sequence[int], jobs_per_hour: float, style: Style
) -> list[_Plan]:
    first = int((hour - _EPOCH).total_seconds()) // 3_600 * _IDS_PER_HOUR
    drawn = []
    for _ in range(min(_IDS_PER_HOUR, round(jobs_per_hour * random.uniform(0.8, 1.2)))):
        status = _status(random, style)
        drawn.append((moment(random, hour, is_running=status == "pending"), random.choice(recipe_ids), status))
    drawn.sort(key=lambda job: job[0].started_at)  # the platform numbers jobs as they begin
    plans = [_Plan(first + index, recipe_id, status, when) for index, (when, recipe_id, status) in enumerate(drawn)]
    return sorted(plans, key=lambda plan: plan.moment.seen_at)


def _status(random: Random, style: Style) -> str:
    draw = random.randrange(100)
    for status, percent in (("failed", style.failed_percent), *_OTHER_PERCENTS):
        draw -= percent
        if draw < 0:
            return status
    return style.success


def _job(name: str, user_id: int, plan: _Plan, style: Style) -> SampleJob:
    random = Random(f"{name}/{plan.number}")  # its own, so that a job does not depend on which others are made
    recipe = recipes.recipe_of(plan.recipe_id)
    started_at, completed_at = plan.moment.texts
    job_id = _id(name, plan.number, style)
    number_in_hour = plan.number % _IDS_PER_HOUR
    earlier = plan.number - random.randint(1, number_in_hour) if number_in_hour else None
    caller = earlier if recipe.is_callable else None
    original = earlier if caller is None and random.randrange(100) < _REPEAT_PERCENT else None
    error_type = error = line_error = None
    if plan.status == "failed":
        error_type, error, line_error = recipes.error(recipe, random, write(plan.moment.seen_at, 50))
    is_poll_error = plan.status == "failed" and random.randrange(100) < _POLL_ERROR_PERCENT
    return SampleJob(
        user_id=user_id,
        recipe_id=plan.recipe_id,
        job_id=job_id,
        parent_id=None if original is None else _id(name, original, style),
        calling_job_id=None if caller is None else _id(name, caller, style),
        status=plan.status,
        started_at=started_at,
        completed_at=completed_at,
        error_type=error_type,
        error=error,
        title=recipes.title(recipe, random, started_at),
        is_poll_error=is_poll_error,
        report=recipes.report(recipe, random),
        lines=() if is_poll_error else tuple(_lines(random, user_id, job_id, plan, error=line_error, style=style)),
    )


def _lines(
    random: Random, user_id: int, job_id: int | str, plan: _Plan, *, error: str | None, style: Style
) -> Iterator[SampleLine]:
    """The lines that were executed: all of them, or those up to the one that failed or still runs."""
    recipe = recipes.recipe_of(plan.recipe_id)
    size = payload.big_size if style.lines == "big" else payload.usual_size
    is_whole = plan.status == style.success
    last = len(recipe.steps) - 1 if is_whole else random.randrange(1, len(recipe.steps))
    timer_output = payload.compact({"time": plan.moment.started_at.isoformat()})
    number = 0
    for index, step in enumerate(recipe.steps[: last + 1]):
        failed_here = error is not None and index == last
        is_open = not is_whole and index == last
        is_timer = step.adapter == "clock"
        yield SampleLine(
            user_id=user_id,
            job_id=job_id,
            line_index=index,
            recipe_line_number=number,
            adapter_name=step.adapter,
            adapter_operation=step.operation,
            input='{"interval":"5"}' if is_timer else payload.records(random, 1_000),
            output=None if is_open else timer_output if is_timer else payload.records(random, size(random)),
            error=error if failed_here else None,
            mask_data=random.randrange(100) < _MASKED_PERCENT,
        )
        number += random.randint(1, 2)  # branches that were not taken leave gaps


def _id(name: str, number: int, style: Style) -> int | str:
    if not style.handles:
        return number
    digest = hashlib.sha256(f"{name}/{number}".encode()).digest()
    letters = "".join(_HANDLE_LETTERS[byte % len(_HANDLE_LETTERS)] for byte in digest[:14])
    return f"j-{letters[:8]}-{letters[8:]}"
