"""The options of the section `[job_history]` about notifiers, metrics and asset events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec
from airflow.configuration import conf

from job_history.errors import PermanentError
from job_history_airflow.settings import SECTION

_EXAMPLE = '[{"notifier": "airflow.providers.smtp.notifications.smtp.SmtpNotifier", "arguments": {"to": "..."}}]'


class NotifierSetting(msgspec.Struct, forbid_unknown_fields=True):
    """The dotted path of a notifier (or of a callable that takes the message), and its arguments."""

    notifier: str
    arguments: dict[str, Any] = {}


@dataclass(frozen=True)
class AnnounceSettings:
    """`asset_events`: the user_ids whose closed windows become asset events; None: all."""

    account_tag: bool
    asset_events: frozenset[int] | None


def read_announce_settings() -> AnnounceSettings:
    """Read the options about metrics and asset events. Raises PermanentError if one holds what it cannot mean."""
    return AnnounceSettings(conf.getboolean(SECTION, "metrics_account_tag", fallback=False), _asset_events())


def read_notifiers() -> list[NotifierSetting]:
    text = conf.get(SECTION, "notifiers", fallback=None)
    if not text or not text.strip():
        return []
    try:
        return msgspec.json.decode(text, type=list[NotifierSetting])
    except msgspec.DecodeError as error:
        # The text may hold a secret, so it is not repeated.
        raise PermanentError(
            f"[{SECTION}] notifiers is no list of notifiers in JSON ({error}). Write {_EXAMPLE}."
        ) from None


def read_deadline() -> timedelta | None:
    """Return how long a run may take before it is notified, or None. Raises PermanentError if it is no number."""
    text = conf.get(SECTION, "notify_deadline_minutes", fallback=None)
    if not text:
        return None
    if not text.strip().isdecimal() or int(text) < 1:
        raise PermanentError(f"[{SECTION}] notify_deadline_minutes is not a whole number of at least 1.")
    return timedelta(minutes=int(text))


def emits_asset_events() -> bool:
    """Return whether any account's windows become asset events."""
    return _asset_events() != frozenset()


def _asset_events() -> frozenset[int] | None:
    text = (conf.get(SECTION, "asset_events", fallback=None) or "").strip()
    if text == "all":
        return None
    ids = [each.strip() for each in text.split(",") if each.strip()]
    if not all(each.isdecimal() for each in ids):
        raise PermanentError(f"[{SECTION}] asset_events is neither all nor a list of user_ids separated by commas.")
    return frozenset(map(int, ids))
