"""The command `job-history`, for operators without the UI; one command per file.

Nothing here imports Airflow before a command runs, so that `--help` answers at once.
"""

from __future__ import annotations

import io
import sys
import traceback
from typing import Any

import click

from job_history import __version__
from job_history.errors import ReplicationError
from job_history_airflow.cli.accounts import accounts
from job_history_airflow.cli.check import check
from job_history_airflow.cli.command import EXIT_NOT_CHECKED
from job_history_airflow.cli.diff import diff
from job_history_airflow.cli.key import key
from job_history_airflow.cli.keys import keys
from job_history_airflow.cli.printing import UnwrittenAnswerError, print_json
from job_history_airflow.cli.prove import prove
from job_history_airflow.cli.redact import redact
from job_history_airflow.cli.redrive import redrive
from job_history_airflow.cli.seal import seal
from job_history_airflow.cli.show_receipt import show_receipt
from job_history_airflow.cli.start_airflow import log_what_matters_alone, rare_collections
from job_history_airflow.cli.status import status
from job_history_airflow.cli.verify import verify


class _Commands(click.Group):
    """Commands whose errors end with exit code 2: not checked. With --json, an error is a JSON value too."""

    def invoke(self, ctx: click.Context) -> Any:
        as_json = "--json" in ctx.args
        log_what_matters_alone()
        try:
            with rare_collections():
                return super().invoke(ctx)
        except ReplicationError as error:
            click.echo(f"Error: {error}", err=True)
            reason = str(error)
        except click.ClickException as error:
            if as_json:
                print_json({"faults": [error.format_message()]})
            raise
        except UnwrittenAnswerError as error:
            if not error.is_closed:
                click.echo(f"Error: {error}", err=True)
            # Python would write the rest at its end, and exit with a code of its own.
            sys.stdout = io.StringIO()
            return ctx.exit(EXIT_NOT_CHECKED)
        except (click.exceptions.Exit, click.Abort, KeyboardInterrupt):
            raise
        except Exception as error:  # noqa: BLE001 - Python itself would exit with 1, which means "differs"
            traceback.print_exc()
            reason = f"{type(error).__name__}: {error}"
        if as_json:
            print_json({"faults": [reason]})
        return ctx.exit(EXIT_NOT_CHECKED)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__)
def main() -> None:
    """Inspect and repair the replication of job histories.

    Exit codes: 0 nothing is missing; 1 something is missing or differs; 2 it could not be checked.
    """


for command in (status, check, diff, redrive, redact, show_receipt, accounts, key, seal, verify, prove, keys):
    main.add_command(command)
