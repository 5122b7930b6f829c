"""`job-history accounts`: validate, export and import the Variable with the accounts."""

from __future__ import annotations

import getpass
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from job_history_airflow.cli.command import EXIT_DIFFERS, EXIT_NOT_CHECKED, EXIT_OK
from job_history_airflow.cli.printing import json_option, print_json, print_line, reserve_stdout_for_answers
from job_history_airflow.cli.start_airflow import prepare_database, read_variable, start_airflow

if TYPE_CHECKING:
    from job_history.accounts.variable import Accounts

_ACTIONS = ("added", "changed", "unchanged", "removed")


@click.group()
def accounts() -> None:
    """Validate, export and import the accounts of the Variable job_history_accounts."""


@accounts.command()
@click.argument("file", type=click.File("rb"))
@json_option
@click.pass_context
def validate(ctx: click.Context, file: BinaryIO, *, as_json: bool) -> None:
    """Validate FILE (-: standard input), a list of accounts in JSON, without Airflow.

    Connections are not looked up: `job-history check` does that.

    Exits with 1 if an account cannot be used.
    """
    read = _validated(file.read(), file.name)
    if as_json:
        print_json({"usable": list(read.usable), "faults": read.messages})
    else:
        for message in read.messages:
            print_line(message)
        print_line(f"{len(read.usable):,} accounts can be used, {len(read.problems):,} cannot.")
    ctx.exit(EXIT_DIFFERS if read.problems else EXIT_OK)


@accounts.command(name="export")
@click.option("--json", is_flag=True, expose_value=False, help="As without it: the answer is always JSON.")
def export_accounts() -> None:
    """Print the accounts as JSON, as `import` reads them. Connections hold the secrets; they are not in it."""
    reserve_stdout_for_answers()
    start_airflow(quickly=True)
    from job_history.accounts.variable import ACCOUNTS_VARIABLE
    from job_history_airflow.accounts_variable import read_stored, stored_accounts

    if (text := read_variable(ACCOUNTS_VARIABLE)) is not None:
        stored = stored_accounts(text)
    else:
        # Slower, and raises what keeps it from being read.
        from airflow.utils.session import create_session

        prepare_database()
        with create_session() as session:
            stored = read_stored(session)
    if stored.text is None or stored.unreadable:
        reason = "does not exist" if stored.text is None else stored.unreadable
        click.echo(f"Error: The Airflow Variable job_history_accounts {reason}.", err=True)
        click.get_current_context().exit(EXIT_NOT_CHECKED)
    print_json(stored.entries)


@accounts.command(name="import")
@click.argument("file", type=click.File("rb"))
@click.option("--replace", is_flag=True, help="Remove the accounts that FILE does not have. Without it, they stay.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and write nothing.")
@json_option
@click.pass_context
def import_accounts(ctx: click.Context, file: BinaryIO, *, replace: bool, dry_run: bool, as_json: bool) -> None:
    """Add the accounts of FILE (-: standard input) to the Variable, or change those that it has already.

    Nothing is written if FILE has an account that cannot be used, or if another user changes the accounts meanwhile.

    Exits with 1 if nothing was written because of FILE.
    """
    content = file.read()
    read = _validated(content, file.name)
    if read.problems:
        _refuse(read.messages, as_json=as_json)
        ctx.exit(EXIT_DIFFERS)
    reserve_stdout_for_answers()
    start_airflow(quickly=True)
    prepare_database()
    given = {entry["user_id"]: entry for entry in json.loads(content)}
    problem, done = _write(given, replace=replace, dry_run=dry_run)
    if problem:
        _refuse([problem], as_json=as_json)
        ctx.exit(EXIT_NOT_CHECKED)
    if as_json:
        print_json({"written": not dry_run, "faults": [], **done})
        return
    for action in _ACTIONS:
        if done[action]:
            print_line(f"{action:<10}{len(done[action]):>6,}  {', '.join(map(str, done[action][:20]))}")
    print_line("Nothing was written (--dry-run)." if dry_run else "Written.")


def _write(given: Mapping[int, Any], *, replace: bool, dry_run: bool) -> tuple[str | None, dict[str, list[Any]]]:
    """Merge the entries into the Variable. Returns a problem, if nothing can be written, and the user_ids by action."""
    from airflow.utils.session import create_session

    from job_history_airflow.accounts_variable import SavedMeanwhileError, read_stored, replace_entries, write_audit_log

    with create_session() as session:
        stored = read_stored(session)
        if not stored.can_change:
            reason = stored.unreadable or f"comes from {stored.held_elsewhere}, so it cannot be changed here"
            return f"The Airflow Variable job_history_accounts {reason}.", {}
        there = {_user_id(entry): entry for entry in stored.entries}
        kept = [given.get(user_id, entry) for user_id, entry in there.items() if user_id in given or not replace]
        entries = [*kept, *(entry for user_id, entry in given.items() if user_id not in there)]
        done = {
            "added": [user_id for user_id in given if user_id not in there],
            "changed": [user_id for user_id in given if user_id in there and there[user_id] != given[user_id]],
            "unchanged": [user_id for user_id in given if there.get(user_id) == given[user_id]],
            "removed": [user_id for user_id in there if replace and user_id not in given],
        }
        if dry_run or entries == stored.entries:
            return None, done
        try:
            replace_entries(session, stored, entries)
        except SavedMeanwhileError:
            session.rollback()
            return "Another user saved the accounts meanwhile. Nothing was written. Import the file again.", {}
        write_audit_log(session, getpass.getuser(), "imported", done)
    return None, done


def _validated(content: bytes, name: str) -> Accounts:
    """Read the accounts of a file. Raises PermanentError if it holds no list of accounts at all."""
    from job_history.accounts.variable import read_accounts
    from job_history.errors import PermanentError

    try:
        return read_accounts(content.decode("utf-8-sig"), f"The file {name}")
    except UnicodeDecodeError as error:
        raise PermanentError(f"The file {name} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from None


def _refuse(problems: list[str], *, as_json: bool) -> None:
    if as_json:
        print_json({"written": False, "faults": problems})
    for problem in problems:
        click.echo(f"Error: {problem}", err=True)


def _user_id(entry: Any) -> Any:
    """Return an entry's user_id; an entry without one is known by its text, so that it is kept."""
    user_id = entry.get("user_id") if isinstance(entry, dict) else None
    return json.dumps(entry, sort_keys=True) if user_id is None or isinstance(user_id, list | dict) else user_id
