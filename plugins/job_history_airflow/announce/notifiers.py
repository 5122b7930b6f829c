"""Sends a run's notification through the notifiers of the config, once, and remembers in the status what was sent."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.sdk import BaseNotifier
from airflow.sdk.log import redact  # type: ignore[attr-defined]

from job_history.ledger.status_file import Status, rewrite_status
from job_history.pipeline.notification import Message, Notice, notice_of
from job_history.pipeline.run_outcome import RunOutcome
from job_history.storage import Storage
from job_history_airflow.announce.settings import NotifierSetting

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)


def notify(
    outcome: RunOutcome, context: Context, notifiers: list[NotifierSetting], *, ledger: Storage, status_url: str
) -> None:
    """Notify what has changed. A backfill's runs notify nothing: the next other run notifies what they left."""
    if not notifiers or outcome.status is None or str(context["dag_run"].run_type) == "backfill":
        return
    notice = notice_of(outcome, outcome.status, ledger, datetime.now(UTC), status_url)
    if notice is not None and send(notice.message, context, notifiers):
        _remember(notice, ledger)


def send(message: Message, context: Any, notifiers: list[NotifierSetting]) -> bool:
    """Call each notifier. Returns whether one of them took the message; one that fails is a warning."""
    if not (message.failing or message.recovered):
        return True
    taken = False
    for setting in notifiers:
        try:
            _call(setting, message, context)
            taken = True
        except Exception as error:  # noqa: BLE001 - a notifier is not ours, and its failure fails no run
            reason = redact(f"{type(error).__name__}: {error}")
            log.warning("The notifier %s failed, so it is called again by the next run: %s", setting.notifier, reason)
    return taken


def _call(setting: NotifierSetting, message: Message, context: Any) -> None:
    from airflow.sdk._shared.module_loading import import_string

    target = import_string(setting.notifier)
    fields = msgspec.to_builtins(message)
    if isinstance(target, type) and issubclass(target, BaseNotifier):
        # One name in the templates: a notifier puts its own arguments there too, such as `subject`.
        target(**setting.arguments)({**context, "notice": fields})
    else:
        target(fields, **setting.arguments)


def _remember(notice: Notice, ledger: Storage) -> None:
    def make(before: Status | None) -> Status:
        # Another run may have written meanwhile; the file is then newer, and has its accounts.
        status = before or Status(generated_at=datetime.now(UTC))
        status.notified = notice.notified
        return status

    rewrite_status(ledger, make)
