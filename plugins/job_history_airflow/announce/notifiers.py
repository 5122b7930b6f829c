"""Sends a run's notification through the notifiers of the config, once, and remembers in the status what each took."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from airflow.sdk import BaseNotifier
from airflow.sdk.log import redact  # type: ignore[attr-defined]

from job_history.errors import ReplicationError
from job_history.ledger.status_file import Notified, Status, read_status, rewrite_status
from job_history.pipeline.notification import Message, failing_after, failing_installation, left_by_backfills, notice_of
from job_history.pipeline.run_outcome import RunOutcome
from job_history.storage import Storage
from job_history_airflow.announce.settings import NotifierSetting

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

Value = TypeVar("Value")

SECONDS_FOR_A_NOTIFIER = 60


def notify(
    outcome: RunOutcome, context: Context, notifiers: list[NotifierSetting], *, ledger: Storage, status_url: str
) -> None:
    """Notify what has changed, each notifier what it has not taken yet.

    A backfill's runs notify nothing: the next other run notifies what they left.
    """
    if not notifiers:
        return
    # This run may not have written it: another one has written a later status, or the ledger cannot be written.
    status = outcome.status or _stored_status(ledger) or Status(generated_at=datetime.now(UTC))
    if str(context["dag_run"].run_type) == "backfill":
        left = left_by_backfills(outcome, status.left_by_backfills)
        if left != status.left_by_backfills:
            _remember(ledger, status, status.notified, left)
        return
    failing = failing_after(outcome, status, ledger)
    notified: dict[str, dict[str, Notified]] = {}
    left = {}
    for name, setting in _named(notifiers):
        before = notified[name] = status.notified.get(name, {})
        notice = notice_of(failing, outcome, status, before, datetime.now(UTC), status_url=status_url)
        if notice is None:
            continue
        if _send_by(setting, notice.message, context):
            notified[name] = notice.notified
        else:
            left = status.left_by_backfills
    if (notified, left) != (status.notified, status.left_by_backfills):
        _remember(ledger, status, notified, left)


def notify_unreported(
    reason: str, context: Context, notifiers: list[NotifierSetting], *, ledger: Storage | None, status_url: str
) -> None:
    """Notify that a run could not be reported: its settings, its staging area or its ledger cannot be used.

    If the ledger is what cannot be used, nothing is remembered, and each such run notifies.
    """
    stored = None if ledger is None else _stored_status(ledger)
    status = stored or Status(generated_at=datetime.now(UTC))
    failing = failing_installation(reason)
    notified = dict(status.notified)
    for name, setting in _named(notifiers):
        notice = notice_of(failing, None, status, notified.get(name, {}), datetime.now(UTC), status_url=status_url)
        if notice is not None and _send_by(setting, notice.message, context):
            notified[name] = notice.notified
    if ledger is not None and stored is not None and notified != stored.notified:
        _remember(ledger, stored, notified, stored.left_by_backfills)


def send(message: Message, context: Any, notifiers: list[NotifierSetting]) -> None:
    """Call each notifier."""
    for setting in notifiers:
        _send_by(setting, message, context)


def _send_by(setting: NotifierSetting, message: Message, context: Any) -> bool:
    """Call a notifier, and return whether it took the message. One that fails is a warning."""
    if not (message.failing or message.recovered):
        return True
    try:
        _in_time(lambda: _call(setting, message, context))
    except Exception as error:  # noqa: BLE001 - a notifier is not ours, and its failure fails no run
        reason = redact(f"{type(error).__name__}: {error}")
        log.warning("The notifier %s failed, so it is called again by the next run: %s", setting.notifier, reason)
        return False
    return True


def _in_time(call: Callable[[], None]) -> None:
    """Wait for a call no longer than SECONDS_FOR_A_NOTIFIER. A thread that goes on ends with the task's process."""
    failed: list[BaseException] = []

    def target() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - also sys.exit() of a notifier must not pass for success
            failed.append(error)

    thread = Thread(target=target, daemon=True, name="notifier")
    thread.start()
    thread.join(SECONDS_FOR_A_NOTIFIER)
    if thread.is_alive():
        raise TimeoutError(f"it took more than {SECONDS_FOR_A_NOTIFIER} s")
    if failed:
        raise RuntimeError(f"{type(failed[0]).__name__}: {failed[0]}")


def _call(setting: NotifierSetting, message: Message, context: Any) -> None:
    from airflow.sdk._shared.module_loading import import_string

    target = import_string(setting.notifier)
    fields = msgspec.to_builtins(message)
    if isinstance(target, type) and issubclass(target, BaseNotifier):
        # One name in the templates: a notifier puts its own arguments there too, such as `subject`.
        target(**setting.arguments)({**context, "notice": fields})
    else:
        target(fields, **setting.arguments)


def _named(notifiers: list[NotifierSetting]) -> list[tuple[str, NotifierSetting]]:
    """Return each notifier with the name by which the status remembers it: its path, and a number if it is repeated."""
    seen: Counter[str] = Counter()
    named = []
    for setting in notifiers:
        seen[setting.notifier] += 1
        number = seen[setting.notifier]
        named.append((setting.notifier if number == 1 else f"{setting.notifier} {number}", setting))
    return named


def _stored_status(ledger: Storage) -> Status | None:
    try:
        return read_status(ledger)
    except ReplicationError as error:
        log.warning("The status in the ledger cannot be read, so a notification may be repeated: %s", error)
        return None


def _changed(now: dict[str, Value], before: dict[str, Value], after: dict[str, Value]) -> dict[str, Value]:
    """Return what is there now, with the changes that lead from `before` to `after`."""
    kept = {key: value for key, value in now.items() if key in after or key not in before}
    return kept | {key: value for key, value in after.items() if before.get(key) != value}


def _remember(ledger: Storage, known: Status, notified: dict[str, dict[str, Notified]], left: dict[str, str]) -> None:
    def make(before: Status | None) -> Status:
        # Another run may have written meanwhile, also what it notified: only this run's changes are made.
        status = before or known
        names = [name for name in {*status.notified, *notified} if name in notified or name not in known.notified]
        status.notified = {
            name: _changed(status.notified.get(name, {}), known.notified.get(name, {}), notified.get(name, {}))
            for name in names
        }
        status.left_by_backfills = _changed(status.left_by_backfills, known.left_by_backfills, left)
        return status

    try:
        rewrite_status(ledger, make)
    except ReplicationError as error:
        log.warning("What was notified could not be remembered, so it may be repeated: %s", error)
