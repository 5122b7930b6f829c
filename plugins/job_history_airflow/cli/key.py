"""`job-history key`: make a document's key, or split one into its parts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from job_history_airflow.cli.options import MOMENT
from job_history_airflow.cli.printing import json_option, print_json, print_line

_PARTS = ("user_id", "recipe_id", "job_id", "started_at", "status")


@click.command()
@click.argument("object_key", metavar="[KEY]", required=False)
@click.option("--user-id", help="The account.")
@click.option("--recipe-id")
@click.option("--job-id", help="A number, or a handle such as j-KGAKfhsz-GYoLeD.")
@click.option("--started-at", type=MOMENT)
@click.option("--status", help="completed, succeeded or failed.")
@click.option("--prefix", default="", help="The account's destination.prefix.")
@json_option
def key(object_key: str | None, prefix: str, as_json: bool, **parts: Any) -> None:
    """Make the key of a document, or show the parts of a key.

    Give all parts of a job to get the key of its document. Give the KEY of a job or an
    admin event to get its parts.
    """
    given = [name for name in _PARTS if parts[name] is not None]
    if object_key is not None and given:
        raise click.UsageError("Give a KEY or its parts, not both.")
    if object_key is not None:
        _print_parts(object_key, as_json=as_json)
        return
    if missing := [f"--{name.replace('_', '-')}" for name in _PARTS if name not in given]:
        raise click.UsageError(f"Give a KEY, or all of its parts: {', '.join(missing)} is missing.")
    new_key = _make_key(prefix, **parts)
    if as_json:
        print_json({"key": new_key})
    else:
        print_line(new_key)


def _make_key(prefix: str, *, user_id: str, recipe_id: str, job_id: str, started_at: datetime, status: str) -> str:
    from job_history.documents.object_key import job_key
    from job_history.errors.quoting import quoted
    from job_history.model.ids import job_id_of, number_id_of
    from job_history.model.job import final_status

    final = final_status(status)
    if final is None:
        raise click.UsageError(f"A job of status {quoted(status)} has no document, so it has no key.")
    return job_key(
        prefix=prefix.strip("/"),
        user_id=number_id_of("user_id", user_id),
        recipe_id=number_id_of("recipe_id", recipe_id),
        job_id=job_id_of(job_id),
        started_at=started_at,
        status=final,
    )


def _print_parts(object_key: str, *, as_json: bool) -> None:
    import msgspec

    from job_history.documents.object_key import parts_of

    try:
        parts = msgspec.to_builtins(parts_of(object_key))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    if as_json:
        print_json(parts)
        return
    for name, value in parts.items():
        print_line(f"{name:<12}{value}")
