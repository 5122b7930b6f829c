"""`job-history show-receipt`: show the receipt of one window."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from job_history_airflow.cli.options import MOMENT
from job_history_airflow.cli.printing import json_option, print_json, print_line, print_table

if TYPE_CHECKING:
    from job_history.ledger.receipt import Receipt
    from job_history_airflow.cli.context import CommandContext


@click.command()
@click.argument("user_id", type=int)
@click.argument("window_start", type=MOMENT)
@click.option("--window-end", type=MOMENT, help="Needed only if the window is not a full hour.")
@click.option("--kind", type=click.Choice(["jobs", "admin_events"]), default="jobs", show_default=True)
@click.option("--revision", type=click.IntRange(0), help="Show this revision, not the newest.")
@click.option("--history", is_flag=True, help="List all revisions, the oldest first.")
@json_option
@click.pass_context
def show_receipt(
    ctx: click.Context,
    *,
    user_id: int,
    window_start: datetime,
    window_end: datetime | None,
    kind: str,
    revision: int | None,
    history: bool,
    as_json: bool,
) -> None:
    """Show the receipt of one window.

    The window is the one that begins at WINDOW_START. Shown are counts, faults, runs, and the paths of items and
    quarantine, of the newest revision. A receipt of version 1 is revision 0.

    Exits with 1 if there is no receipt, or if the window is not closed.
    """
    from job_history.ledger.receipt_history import read_history
    from job_history.ledger.receipt_store import read_receipt
    from job_history.model.event_kind import EventKind
    from job_history.model.window import HOUR, Window
    from job_history_airflow.cli.context import load_context

    if window_end is not None and window_end <= window_start:
        raise click.UsageError("--window-end is not after WINDOW_START.")
    context = load_context(quickly=True)
    ledger = context.ledger
    window = Window(window_start, window_end) if window_end else next(Window(window_start, window_start + HOUR).hours())
    revisions: list[Receipt] = []
    receipt = None
    if revision is None and not history:
        receipt = read_receipt(ledger, user_id, EventKind(kind), window)
    else:
        revisions = read_history(ledger, user_id, EventKind(kind), window)
        receipt = next((each for each in reversed(revisions) if revision in {None, each.revision}), None)
    if receipt is None:
        which = "receipt" if revision is None else f"revision {revision} of the receipt"
        click.echo(f"There is no {which} of account {user_id}, {EventKind(kind).words}, window {window}.", err=True)
    if as_json:
        print_json(revisions if history else receipt)
    elif history and revisions:
        _print_history(revisions)
    elif receipt is not None:
        _print(receipt, context)
    ctx.exit(0 if receipt is not None and receipt.state.closed else 1)


def _settings_now(receipt: Receipt, context: CommandContext) -> str:
    """Return the account's connection and prefix of today; the receipt holds neither."""
    from job_history.errors import ReplicationError

    try:
        account = context.accounts.usable.get(receipt.user_id)
    except ReplicationError:
        return "the accounts cannot be read"
    if account is None:
        return "the account is not (or no longer) among the usable ones"
    destination = account.destination
    prefix = getattr(destination, "prefix", None)
    return f"connection {destination.conn_id}" + ("" if prefix is None else f", prefix {prefix or '(none)'}")


def _print(receipt: Receipt, context: CommandContext) -> None:
    from job_history.errors.quoting import on_one_line
    from job_history.progress import readable_bytes, readable_counts
    from job_history.seals.mark import read_mark

    counts, ledger = receipt.counts, context.ledger
    for name, value in {
        "account": receipt.label,
        "window": f"{receipt.window.start_text} to {receipt.window.end_text}",
        "revision": receipt.revision,
        "state": receipt.state,
        "destination": ", ".join(f"{name} {value}" for name, value in receipt.destination.items()),
        "settings now": _settings_now(receipt, context),
        "counted": f"{counts.counted:,} (by {receipt.counted_by})",
        "listed": f"{counts.listed:,}",
        "delivered": f"{counts.delivered:,} ({readable_bytes(counts.delivered_bytes)})",
        "already present": f"{counts.already_present:,}",
        "filtered": readable_counts(counts.filtered),
        "quarantined": readable_counts(counts.quarantined),
        **({"gone": f"{counts.gone:,}"} if counts.gone else {}),
        **({"in no window": receipt.unplaceable.summary} if receipt.unplaceable else {}),
        "read at": receipt.read_at,
        "settings": receipt.settings_hash,
        "version": receipt.code_version,
    }.items():
        print_line(f"{name:<16}{on_one_line(str(value))}")
    if (sealed := read_mark(ledger, receipt)) is not None:
        print_line(f"{'seal':<16}{sealed.seq} {sealed.sha256}")
    else:
        print_line(f"{'seal':<16}none yet")
    for name, lines in {
        "items": [ledger.url(path) for path in receipt.items],
        "elsewhere": [ledger.url(path) for path in receipt.elsewhere],
        "quarantine": [ledger.url(path) for path in receipt.quarantine],
        "examples": receipt.example_keys,
        "faults": receipt.faults,
    }.items():
        for line in lines:
            print_line(f"{name:<16}{on_one_line(line)}")
    print_line()
    print_table(
        ["run", "finished at", "state", "delivered", "present", "quarantined"],
        [
            (
                entry.run,
                entry.finished_at,
                entry.state,
                entry.counts.delivered,
                entry.counts.already_present,
                sum(entry.counts.quarantined.values()),
            )
            for entry in receipt.runs
        ],
    )


def _print_history(revisions: list[Receipt]) -> None:
    print_table(
        ["revision", "finished at", "state", "listed", "delivered", "present", "gone", "quarantined", "run"],
        [
            (
                receipt.revision,
                receipt.runs[-1].finished_at if receipt.runs else "",
                receipt.state,
                receipt.counts.listed,
                receipt.counts.delivered,
                receipt.counts.already_present,
                receipt.counts.gone,
                sum(receipt.counts.quarantined.values()),
                receipt.runs[-1].run if receipt.runs else "",
            )
            for receipt in revisions
        ],
    )
