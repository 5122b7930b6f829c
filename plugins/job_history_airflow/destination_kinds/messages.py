"""What the kinds that take messages by HTTP have in common: Splunk, Datadog, any other."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from job_history.accounts.account import Account
from job_history.accounts.destination_settings import DestinationSettings, kind_name
from job_history.destinations import Destination
from job_history.destinations.kind import DestinationKind, Opening
from job_history.model.place import Place
from job_history.preflight.check import Check

if TYPE_CHECKING:
    from job_history.destinations.messages.encoders import MarkingEncoder
    from job_history.destinations.messages.receiver import Address, HttpReceiver

Settings = TypeVar("Settings", bound=DestinationSettings)


def message_kind(
    settings: type[Settings],
    *,
    title: str,
    connection_type: str,
    address_of: Callable[[Settings, str], Address],
    encoder_of: Callable[[Settings], MarkingEncoder],
) -> DestinationKind:
    """Make a kind. `address_of` reads the connection; its second argument names the setting for messages."""

    def receiver(account: Account, **changes: Any) -> tuple[Settings, HttpReceiver]:
        from job_history.destinations.messages.receiver import HttpReceiver
        from job_history_airflow.factories.destinations import settings_of

        found = settings_of(account, settings)
        named_by = f"destination.conn_id of account {account.label}"
        return found, HttpReceiver.at(replace(address_of(found, named_by), **changes))

    def open_(account: Account, opening: Opening) -> Destination:
        from job_history.destinations.messages.delivery import MessageDestination
        from job_history.ledger.acknowledgements import Acknowledgements

        # What a repair sends again must not be dropped as a repeat: it has a key of its own.
        run = hashlib.sha256(opening.slice.run.encode()).hexdigest()[:12]
        its, client = receiver(account, key_suffix=f"#repair-{run}" if opening.repair else "")
        target = client.address.target
        acknowledgements = Acknowledgements(opening.ledger, opening.slice, target, repair=opening.repair)
        return MessageDestination(client, encoder_of(its), acknowledgements)

    def check(account: Account) -> Check:
        from job_history.preflight.receiver import check_receiver

        its, client = receiver(account)
        return lambda: check_receiver(client, account, encoder_of(its), now=datetime.now(UTC))

    def place(account: Account) -> Place:
        return Place(account.destination.type, None, receiver(account)[1].address.target)

    return DestinationKind(
        name=kind_name(settings),
        title=title,
        settings=settings,
        connection_types=(connection_type,),
        open=open_,
        check=check,
        place=place,
    )
