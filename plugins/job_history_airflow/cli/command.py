"""What the commands over accounts and hours have in common: their options, their output and their exit code."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import click

from job_history.model.window import Window
from job_history_airflow.cli.options import accounts_option, requested_accounts, requested_hours, window_options
from job_history_airflow.cli.printing import json_option, print_json

if TYPE_CHECKING:
    from job_history.accounts.account import Account
    from job_history_airflow.cli.context import CommandContext

EXIT_OK, EXIT_DIFFERS, EXIT_NOT_CHECKED = 0, 1, 2


@dataclass(frozen=True)
class Request:
    """The accounts and full hours that a command is about. `named`: the accounts were named with --accounts."""

    context: CommandContext
    accounts: list[Account]
    window: Window
    named: bool

    @property
    def unusable_accounts(self) -> list[str]:
        """A sentence for each entry of the Variable that cannot be used; none if the accounts were named."""
        return [] if self.named else self.context.accounts.messages


@dataclass(frozen=True)
class Answer:
    """What a command found.

    `values` are printed with --json, besides the window; otherwise `print_text` is called. `differs`: something is
    missing or differs. `problems`: a sentence for each thing that could not be checked.
    """

    values: dict[str, Any]
    print_text: Callable[[], None]
    differs: bool
    problems: list[str] = field(default_factory=list)


def over_accounts(*, quickly: bool = False) -> Callable[[Callable[..., Answer]], Callable[..., None]]:
    """Turn a function that takes a Request and the command's own options into the body of a click command.

    `quickly`: it uses no hook of a provider (`load_context`).

    It adds the options --accounts, --since, --until, --hours and --json. The command exits with 2 if there were
    problems, otherwise with 1 if something differs, otherwise with 0.
    """

    def decorated(work: Callable[..., Answer]) -> Callable[..., None]:
        def command(
            ctx: click.Context,
            *,
            chosen: list[int] | None,
            since: datetime | None,
            until: datetime | None,
            hours: int | None,
            as_json: bool,
            **own: Any,
        ) -> None:
            from job_history_airflow.cli.context import load_context

            window = requested_hours(since, until, hours)
            context = load_context(quickly=quickly)
            request = Request(context, requested_accounts(context.accounts, chosen), window, named=chosen is not None)
            answer = work(request, **own)
            if as_json:
                print_json({**window.as_dict(), "faults": answer.problems, **answer.values})
            else:
                answer.print_text()
            for problem in answer.problems:
                click.echo(f"Error: {problem}", err=True)
            ctx.exit(EXIT_NOT_CHECKED if answer.problems else EXIT_DIFFERS if answer.differs else EXIT_OK)

        # Brings the command's own options, which click keeps in an attribute of the function.
        whole: Any = functools.update_wrapper(command, work)
        return cast("Callable[..., None]", accounts_option(window_options(json_option(click.pass_context(whole)))))

    return decorated
